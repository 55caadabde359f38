// How many attempts may run at once, how many do and whose, and where each limit comes from.
import { Link } from "@tanstack/react-router";
import type { ConfigRow, Limit } from "@/api/types";
import { actorName } from "@/format/actor";
import { count } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { classes } from "@/parts/classes";
import { useReplay } from "@/replay/replay";
import { AttemptLink } from "./attempt-link";

export function Limits() {
  const { asOf } = useReplay();
  const { data: limits } = useView("/limits", {}, { timeless: true });
  const { data: config } = useView("/config", {}, { timeless: true });
  // Of now only.
  if (!limits || asOf !== undefined) return null;
  return (
    <section aria-label="Limits">
      <h2 className="mb-2 font-semibold">
        Limits{" "}
        <Link to="/settings" className="font-normal text-faint underline-offset-2 hover:underline">
          in the configuration
        </Link>
      </h2>
      <ul className="divide-y divide-line overflow-hidden rounded-md border border-line bg-surface">
        {limits.map((row) => (
          <LimitRow
            key={row.limit.provider ?? ""}
            row={row}
            from={config?.find(({ key }) => key === `limits.${row.limit.provider ?? "attempts"}`)}
          />
        ))}
      </ul>
    </section>
  );
}

function LimitRow({ row, from }: { row: Limit; from: ConfigRow | undefined }) {
  const { provider, attempts_max: max } = row.limit;
  const isFull = max !== undefined && row.in_use >= max;
  return (
    <li className="grid gap-x-4 px-4 py-1.5 sm:grid-cols-[10rem_10rem_1fr]">
      <span className="code">{provider ?? "all together"}</span>
      <span className={classes(isFull && "text-warn")} title={from && `${from.about}, from ${from.source}`}>
        {max === undefined ? `${count(row.in_use)}, no limit` : `${count(row.in_use)} of ${count(max)}`}
        {isFull && ", full"}
      </span>
      <span className="flex min-w-0 flex-wrap gap-x-3 text-faint">
        {row.by.map(({ by, attempts }) => (
          <span key={by} className="flex min-w-0 flex-wrap gap-x-1.5">
            {actorName(by)}
            {attempts.map((attempt) => (
              <AttemptLink key={attempt} attempt={attempt} />
            ))}
          </span>
        ))}
      </span>
    </li>
  );
}
