// When the run is over, and who wins.
import type { Strategy } from "@/api/types";
import { classes } from "@/parts/classes";

const STRATEGIES: { strategy: Strategy; name: string; about: string }[] = [
  { strategy: "best", name: "Best", about: "all come to their end; the smallest change that passes wins" },
  { strategy: "race", name: "Race", about: "the first that passes wins; the others are stopped" },
  { strategy: "all", name: "All", about: "all come to their end; you pick" },
];

type Props = { value: Strategy; onChange: (strategy: Strategy) => void };

export function StrategyChoice({ value, onChange }: Props) {
  return (
    <fieldset>
      <legend className="mb-1 font-medium text-soft">Strategy</legend>
      <div className="grid gap-2 sm:grid-cols-3">
        {STRATEGIES.map(({ strategy, name, about }) => (
          <label
            key={strategy}
            className={classes(
              "cursor-pointer rounded-md border px-3 py-2 has-focus-visible:outline-2 has-focus-visible:outline-accent",
              value === strategy ? "border-accent bg-accent-wash" : "border-line-strong bg-surface hover:bg-raised",
            )}
          >
            <input
              type="radio"
              name="strategy"
              className="sr-only"
              checked={value === strategy}
              onChange={() => onChange(strategy)}
            />
            <span className="block font-medium">{name}</span>
            <span className="block text-soft text-sm">{about}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
