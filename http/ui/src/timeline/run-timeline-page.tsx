// Every event of one run, with the lanes of its attempts.
import { Link, useParams } from "@tanstack/react-router";
import { Columns3 } from "lucide-react";
import type { Comparison, RunTimeline, Slot } from "@/api/types";
import { whoTries } from "@/compare/head/who-tries";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { buttonLook } from "@/parts/button";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { Skeleton } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { RunProblem } from "@/runs/run-problem";
import { RunStateBadge } from "@/runs/run-state";
import { EventsView } from "./events-view";
import { Lanes } from "./lanes";
import { useQueryState } from "./use-query";

export default function RunTimelinePage() {
  const { run = "" } = useParams({ strict: false });
  const { data: comparison, error, refetch } = useView(`/runs/${run}/compare`);
  if (error && !comparison) {
    return (
      <Page title="Timeline">
        <RunProblem run={run} error={error} onRetry={() => void refetch()} />
      </Page>
    );
  }
  return (
    <Page
      title={comparison?.title ?? run}
      tools={
        <>
          {comparison && <RunStateBadge state={comparison.state} />}
          <Link to="/runs/$run" params={{ run }} className={buttonLook("plain", "small")}>
            <Columns3 size={13} aria-hidden /> Compare
          </Link>
        </>
      }
    >
      <EventsView run={comparison?.run ?? run}>
        <RunLanesPart run={run} comparison={comparison} />
      </EventsView>
    </Page>
  );
}

function RunLanesPart({ run, comparison }: { run: string; comparison: Comparison | undefined }) {
  // The lines come by themselves; of this view only the bars are wanted.
  const { data, error, refetch } = useView(`/runs/${run}/timeline`, { limit: 1 });
  const { asOf } = useReplay();
  const [query, change] = useQueryState();
  const now = useNow();
  if (error) return <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton className="m-4 h-32" />;
  const { lanes } = data;
  const column = (slot: Slot) => comparison?.columns.find((known) => known.slot === slot);
  const nameOf = (slot: Slot) => {
    const known = column(slot);
    return known ? whoTries(known) : "";
  };
  const id = (slot: Slot) => `${lanes.run}.${slot}`;
  return (
    <Lanes
      lanes={lanes}
      nowUs={asOf === undefined ? now * 1_000 : lastMoment(data)}
      nameOf={nameOf}
      checkOf={(index) => comparison?.checks[index] ?? String(index + 1)}
      onMark={(mark) => change({ seq: String(mark.seq) })}
      attempt={query.attempt}
      onAttempt={(slot) => change({ attempt: query.attempt === id(slot) ? "" : id(slot) })}
    />
  );
}

/** In the past, what goes on lasts until the last thing that is known. */
function lastMoment({ lanes }: RunTimeline): number {
  const spans = [...lanes.spans, ...lanes.attempts.flatMap((lane) => lane.spans)];
  const times = spans.map((span) => Math.max(span.start_us, span.end_us ?? 0));
  return Math.max(lanes.start_us + 1, ...times, ...lanes.marks.map((mark) => mark.at_us));
}
