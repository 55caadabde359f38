// The clock of the whole page: every open part shows the moment its thumb stands at. On the pages of a run it spans
// that run, elsewhere the whole log.
import { useParams } from "@tanstack/react-router";
import { Pause, Play, StepBack, StepForward } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { MarkSort, Seq } from "@/api/types";
import { count } from "@/format/numbers";
import { timeOfDay } from "@/format/time";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { useLive } from "@/live/use-live";
import { useView } from "@/live/use-view";
import { IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { MARKS } from "@/timeline/looks";
import { useReplay } from "./replay";
import { SPEEDS, type Speed } from "./steps";
import { usePlayer } from "./use-player";

/** Server reads while a thumb is dragged, at most this often. */
const DRAG_MS = 120;

type Moment = { seq: Seq; sort: MarkSort };
type Stretch = { first: Seq; last: Seq; marks: Moment[] };

/** What the scrubber spans, as it is now: the past does not bound its own replay. */
function useStretch(run: string | undefined): Stretch {
  const { seq: head } = useLive();
  const ofRun = useView(`/runs/${run}/timeline`, { limit: 1 }, { timeless: true, enabled: run !== undefined });
  const ofAll = useView("/runs", { limit: 100 }, { timeless: true, enabled: run === undefined });
  const compare = useView(`/runs/${run}`, {}, { timeless: true, enabled: run !== undefined });
  if (run !== undefined) {
    const row = compare.data?.row;
    const marks = ofRun.data?.lanes.marks ?? [];
    return { first: row?.requested_seq ?? 1, last: Math.max(row?.last_seq ?? head, 1), marks };
  }
  const rows = ofAll.data?.rows ?? [];
  return {
    first: 1,
    last: Math.max(head, 1),
    marks: rows.map((row) => ({ seq: row.requested_seq, sort: "requested" as const })),
  };
}

export function Scrubber({ at }: { at: Seq }) {
  const { run }: { run?: string } = useParams({ strict: false });
  const stretch = useStretch(run);
  const { goTo } = useReplay();
  const params = useMemo(() => (run === undefined ? {} : { run }), [run]);
  const { data: event } = useView(`/events/${String(at)}`, {}, { timeless: true, enabled: at > 0, keep: true });
  const last = Math.max(stretch.last, at);
  const player = usePlayer(at, event?.at_us, last, params, goTo);
  const [dragged, setDragged] = useState<Seq>();
  const wentAtMs = useRef(0);
  useEffect(() => {
    if (dragged === undefined) return undefined;
    // The thumb stays where it is dragged to until the page is there.
    if (dragged === at) {
      setDragged(undefined);
      return undefined;
    }
    const go = () => {
      wentAtMs.current = performance.now();
      goTo(dragged);
    };
    const timer = setTimeout(go, wentAtMs.current + DRAG_MS - performance.now());
    return () => clearTimeout(timer);
  }, [dragged, at, goTo]);
  useShortcuts("Replay", [
    { keys: " ", about: "Play or pause", run: player.toggle },
    { keys: ",", about: "One event back", run: () => player.step(-1) },
    { keys: ".", about: "One event on", run: () => player.step(1) },
  ]);
  const first = Math.min(stretch.first, at);
  return (
    <div className="flex min-w-0 flex-1 items-center gap-2 max-md:order-last max-md:w-full max-md:flex-none">
      <IconButton
        size="small"
        label="One event back (,)"
        icon={<StepBack size={14} aria-hidden />}
        onClick={() => player.step(-1)}
      />
      <IconButton
        size="small"
        label={player.isPlaying ? "Pause (Space)" : "Play (Space)"}
        icon={player.isPlaying ? <Pause size={14} aria-hidden /> : <Play size={14} aria-hidden />}
        onClick={player.toggle}
      />
      <IconButton
        size="small"
        label="One event on (.)"
        icon={<StepForward size={14} aria-hidden />}
        onClick={() => player.step(1)}
      />
      <select
        aria-label="Speed"
        value={player.speed}
        onChange={(change) => player.setSpeed(Number(change.target.value) as Speed)}
        className="h-6 max-md:h-10 rounded-md border border-line-strong bg-surface px-1 text-sm text-text"
      >
        {SPEEDS.map((speed) => (
          <option key={speed} value={speed}>
            {speed}x
          </option>
        ))}
      </select>
      <div className="relative min-w-0 flex-1">
        <Marks stretch={{ ...stretch, first, last }} onMark={goTo} />
        <input
          type="range"
          aria-label="Moment"
          aria-valuetext={`Seq ${dragged ?? at}`}
          min={first}
          max={last}
          value={dragged ?? at}
          onChange={(change) => setDragged(Number(change.target.value))}
          className="block w-full max-md:h-10 accent-[var(--warn)]"
        />
      </div>
      <span className="shrink-0 text-text tabular-nums">
        {event && (
          <span className="max-sm:hidden">
            {timeOfDay(event.at_us)}
            {"  "}
          </span>
        )}
        Seq {count(dragged ?? at)}
      </span>
    </div>
  );
}

function Marks({ stretch, onMark }: { stretch: Stretch; onMark: (seq: Seq) => void }) {
  const { first, last, marks } = stretch;
  const shown = marks.filter((mark) => mark.seq >= first && mark.seq <= last && mark.sort !== "passed");
  return (
    <div className="absolute inset-x-2 bottom-full h-3 max-md:bottom-7">
      {shown.map((mark) => {
        const { glyph, word, tone } = MARKS[mark.sort];
        return (
          <button
            key={`${mark.seq}-${mark.sort}`}
            type="button"
            aria-label={`${word}, Seq ${mark.seq}`}
            title={`${word}, Seq ${count(mark.seq)}`}
            onClick={() => onMark(mark.seq)}
            className={classes("-translate-x-1/2 absolute text-[10px] leading-3", tone)}
            style={{ left: `${((mark.seq - first) / Math.max(1, last - first)) * 100}%` }}
          >
            {glyph}
          </button>
        );
      })}
    </div>
  );
}
