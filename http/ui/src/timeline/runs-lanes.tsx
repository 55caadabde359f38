// The latest runs, each as one bar of true length; a click goes to its lanes.
import { useNavigate } from "@tanstack/react-router";
import type { RunRow } from "@/api/types";
import { lasted, timeOfDay } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { classes } from "@/parts/classes";
import { useReplay } from "@/replay/replay";
import { RUN_STATES, RunStateBadge } from "@/runs/run-state";
import { place, type Scale } from "./scale";

const SHOWN = 6;

const LOOKS = {
  good: "border-good bg-good-wash",
  bad: "border-bad bg-bad-wash",
  warn: "border-warn bg-warn-wash",
  busy: "border-busy bg-busy/20",
  calm: "border-line-strong bg-raised",
  accent: "border-accent bg-accent-wash",
} as const;

export function RunsLanes() {
  const { data } = useView("/runs", { limit: SHOWN });
  const { asOf } = useReplay();
  const now = useNow();
  const rows = data?.rows ?? [];
  if (rows.length === 0) return null;
  const lastEvent = Math.max(...rows.map((row) => row.last_event_at_us));
  const isOver = rows.every((row) => row.finished_at_us !== null);
  const endUs = asOf !== undefined || isOver ? lastEvent : now * 1_000;
  const scale: Scale = { startUs: Math.min(...rows.map((row) => row.requested_at_us)), endUs };
  return (
    <section aria-label="Latest runs" className="shrink-0 border-line border-b bg-surface px-4 py-2">
      <div className="grid grid-cols-[minmax(96px,240px)_1fr] items-center gap-x-3 gap-y-1 max-sm:grid-cols-[112px_1fr]">
        {rows.map((row) => (
          <RunBar key={row.id} row={row} scale={scale} />
        ))}
      </div>
    </section>
  );
}

function RunBar({ row, scale }: { row: RunRow; scale: Scale }) {
  const navigate = useNavigate();
  const endUs = row.finished_at_us ?? scale.endUs;
  const left = place(scale, row.requested_at_us);
  const duration = `${lasted((endUs - row.requested_at_us) / 1_000)}${row.finished_at_us === null ? " so far" : ""}`;
  const { tone, word } = RUN_STATES[row.state];
  return (
    <button
      type="button"
      onClick={() => void navigate({ to: "/runs/$run/timeline", params: { run: row.id } })}
      title={`${row.title}\n${word}, ${duration}, from ${timeOfDay(row.requested_at_us)}`}
      className="group col-span-2 grid grid-cols-subgrid items-center rounded-sm text-left hover:bg-raised max-md:min-h-6"
    >
      <span className="truncate text-soft text-sm group-hover:text-text">{row.title}</span>
      <span className="relative h-5 rounded-sm bg-sunken">
        <span
          className={classes("absolute inset-y-0.5 min-w-1 rounded-sm border-l", LOOKS[tone])}
          style={{ left: `${left}%`, width: `${place(scale, endUs) - left}%` }}
        />
        <span
          className="absolute inset-y-0 flex items-center gap-2 whitespace-nowrap px-2 text-sm"
          style={left < 60 ? { left: `${left}%` } : { right: `${100 - left}%` }}
        >
          <RunStateBadge state={row.state} />
          <span className="text-soft">{duration}</span>
        </span>
      </span>
    </button>
  );
}
