// Filters, the list and one open event: what the timeline of an installation and that of a run have in common.
import { useCallback, useMemo, useState } from "react";
import type { Seq } from "@/api/types";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { EventDetail } from "./event-detail";
import { EventList } from "./event-list";
import { Export } from "./export";
import { filterOf, isNarrow, paramsOf } from "./filter";
import { FilterBar } from "./filter-bar";
import { useEntries } from "./use-entries";
import { useQueryState } from "./use-query";

/** `run` is fixed where the page is that of one run. */
export function EventsView({ run, children }: { run?: string; children?: React.ReactNode }) {
  const [query, change] = useQueryState();
  const { asOf } = useReplay();
  const filter = filterOf(query, run);
  const key = JSON.stringify(filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the filter.
  const params = useMemo(() => paramsOf(filter), [key]);
  const isPaused = query.follow === "off";
  const [isAtTop, setAtTop] = useState(true);
  const entries = useEntries(params, !isPaused && isAtTop);
  const chosen = query.seq !== undefined && /^\d+$/.test(query.seq) ? Number(query.seq) : undefined;
  const open = useCallback((seq: Seq | undefined) => change({ seq: seq === undefined ? "" : String(seq) }), [change]);
  const step = (by: number) => {
    const at = entries.rows.findIndex((row) => row.seq === chosen);
    const next = entries.rows[at < 0 ? 0 : at + by];
    if (next) open(next.seq);
  };
  useShortcuts("Timeline", [
    { keys: "j", about: "Next (older) event", run: () => step(1) },
    { keys: "k", about: "Previous (newer) event", run: () => step(-1) },
    { keys: "x", about: "Close the event", run: () => open(undefined) },
    { keys: "f", about: "Follow or pause", run: () => change({ follow: isPaused ? "" : "off" }) },
  ]);
  const narrow = isNarrow(filter, run);
  const follow =
    asOf === undefined ? { isOn: !isPaused, set: (isOn: boolean) => change({ follow: isOn ? "" : "off" }) } : undefined;
  return (
    <div className="flex h-full min-h-0 flex-col">
      {children}
      <FilterBar filter={filter} onChange={change} isNarrow={narrow} isAnyRun={run === undefined} follow={follow}>
        <Export params={params} name={run ? `regatta-${run}` : "regatta-timeline"} />
      </FilterBar>
      <div className="flex min-h-0 flex-1 max-md:flex-col">
        {entries.isPending && (
          <div className="flex-1">
            <SkeletonRows height="h-7" rows={14} />
          </div>
        )}
        {entries.error && (
          <div className="flex-1 p-4">
            <ProblemNotice error={entries.error} onRetry={entries.retry} />
          </div>
        )}
        {!entries.isPending && !entries.error && entries.rows.length === 0 && (
          <div className="flex-1">
            <NothingHere isNarrow={narrow} />
          </div>
        )}
        {entries.rows.length > 0 && (
          <EventList
            rows={entries.rows}
            kept={entries.kept}
            onShowKept={entries.showKept}
            chosen={chosen}
            onChoose={open}
            hasOlder={entries.hasOlder}
            onOlder={entries.readOlder}
            onTop={setAtTop}
          />
        )}
        {chosen !== undefined && (
          <EventDetail
            seq={chosen}
            causeSeq={entries.rows.find((row) => row.seq === chosen)?.cause_seq ?? null}
            onOpen={open}
            onOnly={change}
            onClose={() => open(undefined)}
          />
        )}
      </div>
    </div>
  );
}

function NothingHere({ isNarrow: narrow }: { isNarrow: boolean }) {
  if (narrow) return <Empty title="No event fits">Take a part of the filter out; the whole log is there.</Empty>;
  return (
    <Empty title="Nothing has happened yet" command="regatta run 'fix the failing test' -a claude -a codex">
      Every event of this installation will stand here. Start a run:
    </Empty>
  );
}
