// Cost day by day; tokens, where nobody told a cost. Each bar says its day and sum.
import { dollars, short } from "@/format/numbers";
import { type Sum, tokens } from "./sums";

export function DayBars({ days }: { days: readonly Sum[] }) {
  const byCost = days.some((day) => day.costMicros > 0);
  const value = (day: Sum) => (byCost ? day.costMicros : tokens(day));
  const say = (day: Sum) => (byCost ? dollars(day.costMicros) : `${short(tokens(day))} tokens`);
  const most = Math.max(...days.map(value), 1);
  const busiest = days.find((day) => value(day) === most);
  return (
    <figure className="flex flex-col gap-1">
      <figcaption className="flex justify-between text-faint text-sm">
        <span>{byCost ? "cost" : "tokens"} per day</span>
        {busiest && (
          <span>
            most: {say(busiest)} on {busiest.name}
          </span>
        )}
      </figcaption>
      <ol aria-label="Days" className="flex h-24 items-end gap-px border-line border-b">
        {days.map((day) => (
          <li
            key={day.name}
            title={`${day.name}: ${say(day)}`}
            className="flex h-full min-w-0 flex-1 items-end hover:bg-raised"
          >
            <span className="sr-only">
              {day.name}: {say(day)}
            </span>
            <span
              aria-hidden
              className="w-full rounded-t-sm bg-busy"
              style={{ height: value(day) === 0 ? 0 : `max(2px, ${(100 * value(day)) / most}%)` }}
            />
          </li>
        ))}
      </ol>
      <p aria-hidden className="flex justify-between text-faint text-sm">
        <span>{days[0]?.name}</span>
        <span>{days.at(-1)?.name}</span>
      </p>
    </figure>
  );
}
