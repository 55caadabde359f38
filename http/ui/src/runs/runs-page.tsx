// Every run: what goes on, what needs somebody, what came of it.
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp, Plus } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { buttonLook } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import type { Search } from "@/routes";
import { setTitle } from "@/shell/title";
import { useArrivals } from "./arrivals";
import { queueReasons } from "./queue-reasons";
import { RunFilters } from "./run-filters";
import { RunRow } from "./run-row";
import { type RunQuery, useRuns } from "./use-runs";

const ROW_PX = 52;
const ROW_PX_PHONE = 76;

export default function RunsPage() {
  const search: RunQuery = useSearch({ strict: false });
  const query: RunQuery = { state: search.state, text: search.text, repository: search.repository };
  const navigate = useNavigate();
  useEffect(() => {
    setTitle("Runs · Regatta");
  }, []);
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-4 gap-y-2 border-line border-b bg-surface px-4 py-2">
        <h1 className="font-semibold text-lg">Runs</h1>
        <RunFilters
          query={query}
          onChange={(next) =>
            void navigate({ to: "/", search: (before: Search) => ({ as_of: before.as_of, ...next }), replace: true })
          }
        />
      </header>
      <RunList query={query} />
    </div>
  );
}

function RunList({ query }: { query: RunQuery }) {
  const runs = useRuns(query);
  const scroller = useRef<HTMLDivElement>(null);
  const [isAtTop, setAtTop] = useState(true);
  const arrivals = useArrivals(runs.rows, isAtTop, JSON.stringify(query));
  const isPhone = typeof window !== "undefined" && window.innerWidth < 768;
  const rows = useVirtualizer({
    count: arrivals.shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (isPhone ? ROW_PX_PHONE : ROW_PX),
    getItemKey: (index) => arrivals.shown[index]?.id ?? index,
    overscan: 8,
  });
  const { data: fleet } = useView("/fleet");
  const waits = useMemo(() => queueReasons(fleet?.queue ?? []), [fleet?.queue]);
  const visible = rows.getVirtualItems();
  const lastVisible = visible.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = runs;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && lastVisible >= arrivals.shown.length - 10) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, lastVisible, arrivals.shown.length]);

  if (runs.isPending) return <SkeletonRows />;
  if (runs.isError && runs.rows.length === 0) {
    return <ProblemNotice className="m-4" error={runs.error} onRetry={() => void runs.refetch()} />;
  }
  if (runs.rows.length === 0) return <NoRuns query={query} />;
  return (
    <div className="relative min-h-0 flex-1">
      {arrivals.waiting > 0 && (
        <button
          type="button"
          onClick={() => {
            arrivals.show();
            scroller.current?.scrollTo({ top: 0 });
          }}
          className="absolute top-2 left-1/2 z-10 flex h-7 max-md:h-10 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent-fill px-3 text-accent-ink text-sm shadow-lg"
        >
          <ArrowUp size={13} aria-hidden /> {plural(arrivals.waiting, "new run")}
        </button>
      )}
      <div
        ref={scroller}
        onScroll={(event) => setAtTop(event.currentTarget.scrollTop < 8)}
        className="h-full overflow-y-auto bg-surface"
      >
        <ul className="relative" style={{ height: rows.getTotalSize() }}>
          {visible.map((item) => {
            const row = arrivals.shown[item.index];
            return (
              row && (
                <li key={item.key} className="absolute inset-x-0" style={{ top: item.start, height: item.size }}>
                  <RunRow row={row} waitsFor={waits.get(row.id)} />
                </li>
              )
            );
          })}
        </ul>
      </div>
    </div>
  );
}

function NoRuns({ query }: { query: RunQuery }) {
  const mayRun = useMay("run");
  if (query.state || query.text || query.repository) {
    return (
      <Empty
        title="No run fits"
        action={
          <Link to="/" className={buttonLook()}>
            Show all runs
          </Link>
        }
      >
        Nothing matches the filter{query.text ? ` “${query.text}”` : ""}.
      </Empty>
    );
  }
  return (
    <Empty
      title="No runs yet"
      command="regatta run 'fix the failing test' -a claude -a codex --check 'make test'"
      action={
        mayRun && (
          <Link to="/new" className={buttonLook("primary")}>
            <Plus size={15} aria-hidden /> New run
          </Link>
        )
      }
    >
      A run sends one task to several agents at once, each in a sandbox of its own; you compare what they did and pick
      one. In a git repository, type:
    </Empty>
  );
}
