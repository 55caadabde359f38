// What a run and each of its attempts went through, as bars of true length. A click on a mark opens its event.
import { Fragment } from "react";
import type { Mark, RunLanes, Slot, Span } from "@/api/types";
import { bytes } from "@/format/numbers";
import { lasted, timeOfDay } from "@/format/time";
import { classes } from "@/parts/classes";
import { MARKS, RUN_PHASES, spanLook } from "./looks";
import { distance, place, type Scale, ticks } from "./scale";

type Props = {
  lanes: RunLanes;
  /** The end of what goes on, in microseconds. */
  nowUs: number;
  /** Who tries in a slot, for people. */
  nameOf: (slot: Slot) => string;
  checkOf: (index: number) => string;
  onMark: (mark: Mark) => void;
  attempt?: string;
  onAttempt: (slot: Slot) => void;
};

export function Lanes({ lanes, nowUs, nameOf, checkOf, onMark, attempt, onAttempt }: Props) {
  const endUs = lanes.end_us ?? Math.max(nowUs, lanes.start_us + 1);
  const scale: Scale = { startUs: lanes.start_us, endUs };
  return (
    <section
      aria-label="Lanes"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className="overflow-x-auto border-line border-b bg-surface px-4 py-2 focus-visible:-outline-offset-2"
    >
      <div className="grid min-w-[560px] grid-cols-[minmax(88px,auto)_1fr] items-center gap-x-3 gap-y-1">
        <span className="text-faint text-sm">run {lanes.run}</span>
        <Track scale={scale} isTop>
          {lanes.spans.map((span) => (
            <Bar
              key={span.start_us}
              scale={scale}
              startUs={span.start_us}
              endUs={span.end_us ?? endUs}
              isOpen={span.end_us === null}
              word={RUN_PHASES[span.phase].word}
              look={RUN_PHASES[span.phase].look}
            />
          ))}
          <Marks
            scale={scale}
            marks={lanes.marks.filter((mark) => mark.slot === null && mark.sort !== "requested")}
            onMark={onMark}
          />
        </Track>
        {lanes.attempts.map((lane) => (
          <Fragment key={lane.slot}>
            <button
              type="button"
              aria-pressed={attempt === `${lanes.run}.${lane.slot}`}
              onClick={() => onAttempt(lane.slot)}
              title="Only this attempt's events"
              className="flex min-w-0 items-center gap-2 rounded-sm text-left max-md:min-h-6 aria-pressed:bg-accent-wash"
            >
              <span className="w-4 shrink-0 text-center font-semibold uppercase">{lane.slot}</span>
              <span className="max-w-40 truncate text-soft text-sm">{nameOf(lane.slot)}</span>
            </button>
            <Track scale={scale}>
              {lane.spans.map((span) => (
                <AttemptBar
                  key={`${span.epoch}-${span.start_us}-${phaseKey(span)}`}
                  {...{ span, scale, endUs, checkOf }}
                />
              ))}
              <Marks scale={scale} marks={lanes.marks.filter((mark) => mark.slot === lane.slot)} onMark={onMark} />
            </Track>
          </Fragment>
        ))}
        <span />
        <div className="relative h-4 text-faint text-xs">
          {ticks(scale, 8).map((ms) => (
            <span
              key={ms}
              className="-translate-x-1/2 absolute whitespace-nowrap first:translate-x-0"
              style={{ left: `${place(scale, lanes.start_us + ms * 1_000)}%` }}
            >
              {distance(ms)}
            </span>
          ))}
        </div>
      </div>
    </section>
  );
}

function phaseKey(span: Span): string {
  return typeof span.phase === "string" ? span.phase : `check-${span.phase.check}`;
}

function Track({ scale, isTop, children }: { scale: Scale; isTop?: boolean; children: React.ReactNode }) {
  return (
    <div className={classes("relative rounded-sm bg-sunken", isTop ? "h-5" : "h-6")}>
      {ticks(scale, 8).map((ms) => (
        <i
          key={ms}
          aria-hidden
          className="absolute inset-y-0 w-px bg-line"
          style={{ left: `${place(scale, scale.startUs + ms * 1_000)}%` }}
        />
      ))}
      {children}
    </div>
  );
}

function AttemptBar(props: { span: Span; scale: Scale; endUs: number; checkOf: (index: number) => string }) {
  const { span, scale, endUs, checkOf } = props;
  const { word, look } = spanLook(span, checkOf);
  const printed = span.out_bytes + span.err_bytes;
  return (
    <Bar
      scale={scale}
      startUs={span.start_us}
      endUs={span.end_us ?? endUs}
      isOpen={span.end_us === null}
      word={word}
      look={look}
      about={printed > 0 ? `printed ${bytes(printed)}` : undefined}
    />
  );
}

type BarProps = {
  scale: Scale;
  startUs: number;
  endUs: number;
  isOpen: boolean;
  word: string;
  look: string;
  about?: string | undefined;
};

function Bar({ scale, startUs, endUs, isOpen, word, look, about }: BarProps) {
  const left = place(scale, startUs);
  const width = place(scale, endUs) - left;
  const duration = `${lasted((endUs - startUs) / 1_000)}${isOpen ? " so far" : ""}`;
  const title = [`${word}: ${duration}`, `from ${timeOfDay(startUs)}`, about].filter(Boolean).join("\n");
  return (
    <div
      role="img"
      aria-label={`${word}, ${duration}`}
      title={title}
      className={classes(
        "absolute inset-y-0.5 flex min-w-0.5 items-center overflow-hidden rounded-sm border-l px-1",
        look,
        isOpen && "border-r-2 border-r-busy border-dashed",
      )}
      style={{ left: `${left}%`, width: `${width}%` }}
    >
      {width > 7 && <span className="truncate text-xs leading-4">{word}</span>}
    </div>
  );
}

function Marks({ scale, marks, onMark }: { scale: Scale; marks: Mark[]; onMark: (mark: Mark) => void }) {
  return marks.map((mark) => {
    const { glyph, word, tone } = MARKS[mark.sort];
    return (
      <button
        key={`${mark.seq}-${mark.sort}`}
        type="button"
        aria-label={`${word}, Seq ${mark.seq}`}
        title={`${word}\n${timeOfDay(mark.at_us)}  Seq ${mark.seq}`}
        onClick={() => onMark(mark)}
        className={classes(
          "-translate-x-1/2 absolute inset-y-0.5 z-10 grid w-4 place-items-center rounded-sm border border-line-strong bg-surface text-xs hover:bg-raised",
          tone,
        )}
        style={{ left: `clamp(8px, ${place(scale, mark.at_us)}%, calc(100% - 8px))` }}
      >
        {glyph}
      </button>
    );
  });
}
