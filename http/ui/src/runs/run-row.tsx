// One run in the list.
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { RunRow as Row } from "@/api/types";
import { actorName } from "@/format/actor";
import { ago, clock, lasted, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import type { Search } from "@/routes";
import { AttemptCounts } from "./attempt-counts";
import { RunStateBadge } from "./run-state";

/** The last part of a path says most. */
function folder(path: string): string {
  return path.split("/").findLast((part) => part !== "") ?? path;
}

type Props = {
  row: Row;
  /** What its attempts wait for, when some do. */
  waitsFor: string | undefined;
};

export const RunRow = memo(function RunRow({ row, waitsFor }: Props) {
  return (
    <Link
      to="/runs/$run"
      params={{ run: row.id }}
      search={(before: Search) => ({ as_of: before.as_of })}
      className="grid h-full grid-cols-[7.5rem_minmax(0,1fr)_auto] items-center gap-x-4 border-line border-b px-4 hover:bg-raised focus-visible:-outline-offset-2 max-md:grid-cols-[minmax(0,1fr)_auto] max-md:content-center max-md:gap-y-0.5"
    >
      <span title={`last event ${moment(row.last_event_at_us)}`}>
        <RunStateBadge state={row.state} />
      </span>
      <span className="min-w-0 max-md:order-first max-md:col-span-2">
        <span className="block truncate font-medium">
          <bdi>{row.title}</bdi>
        </span>
        <span className="flex gap-2 truncate text-faint text-sm">
          <code className="font-mono">{row.id}</code>
          <span className="truncate" title={row.repository}>
            {folder(row.repository)}@{row.base_ref}
          </span>
          <span>{row.strategy}</span>
          {waitsFor && (
            <span className="truncate text-soft" title={`queued: ${waitsFor}`}>
              queued: {waitsFor}
            </span>
          )}
          <span className="truncate max-sm:hidden">{actorName(row.by)}</span>
        </span>
      </span>
      <span className="max-md:flex max-md:items-center max-md:gap-3 md:grid md:grid-cols-[11rem_5rem_6rem] md:items-center md:justify-items-end md:gap-x-4">
        <AttemptCounts counts={row.attempts} />
        <span className="text-soft max-md:hidden">{row.winner ? <Winner slot={row.winner} /> : ""}</span>
        <Times row={row} />
      </span>
    </Link>
  );
});

function Winner({ slot }: { slot: string }) {
  return (
    <span title="the winner by the verdict in force">
      <span className="text-faint">won </span>
      <span className="font-semibold uppercase">{slot}</span>
    </span>
  );
}

function Times({ row }: { row: Row }) {
  const now = useNow();
  const since = now - row.requested_at_us / 1_000;
  const ran = row.finished_at_us === null ? undefined : (row.finished_at_us - row.requested_at_us) / 1_000;
  return (
    <span className="text-right text-soft max-md:flex max-md:gap-2" title={`asked for ${moment(row.requested_at_us)}`}>
      <span className="block">{ran === undefined ? clock(since) : lasted(ran)}</span>
      <span className="block text-faint text-sm">{ago(since)}</span>
    </span>
  );
}
