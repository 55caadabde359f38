// The fleet in numbers, as far as the log knows.
import type { FleetTotals } from "@/api/types";
import { count } from "@/format/numbers";
import { classes } from "@/parts/classes";

type Number = { name: string; value: number; about: string; tone?: string };

export function Totals({ totals }: { totals: FleetTotals }) {
  const numbers: Number[] = [
    { name: "alive", value: totals.alive, about: "sandboxes that exist" },
    { name: "being made", value: totals.intended, about: "a provider was or is about to be asked" },
    { name: "waiting", value: totals.waiting, about: "attempts in line" },
    {
      name: "leaks",
      value: totals.leaks,
      about: "sandboxes that outlived their right to exist",
      tone: totals.leaks > 0 ? "text-bad" : "text-good",
    },
    { name: "removed", value: totals.destroyed, about: "since the log's beginning" },
    { name: "failed", value: totals.failed, about: "could not be made, or were lost, since the log's beginning" },
    { name: "reaped", value: totals.reaped, about: "found without a right to exist at a start, and removed" },
  ];
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(104px,1fr))] gap-px overflow-hidden rounded-md border border-line bg-surface">
      {numbers.map(({ name, value, about, tone }) => (
        <div key={name} title={about} className="flex flex-col-reverse px-4 py-2 shadow-[0_0_0_1px_var(--line)]">
          <dt className="text-faint text-sm">{name}</dt>
          <dd className={classes("text-xl", tone)}>{count(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
