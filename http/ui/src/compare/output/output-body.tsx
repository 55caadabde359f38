// What an attempt prints, live: it follows the end until somebody scrolls up. Only lines that are seen are drawn.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Column } from "@/api/types";
import { bytes } from "@/format/numbers";
import { classes } from "@/parts/classes";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodyNote, BodySkeleton } from "../body-note";
import { useSlotName } from "../slot-name";
import { OutputLine } from "./ansi";
import type { Line } from "./lines";
import { useOutput } from "./use-output";

const LINE_PX = 19;
/** Width of one character of the monospaced type, and what stands beside the text. */
const CHAR_PX = 7.53;
const BESIDE_PX = 24;
/** So near to an edge the next page is read. */
const EDGE_PX = 600;

type Props = { column: Column; checks: readonly string[] };

export default function OutputBody({ column, checks }: Props) {
  const [output, source] = useOutput(column.attempt, column.state.name === "finished");
  const lines = output.lines;
  const nameOf = useSlotName();
  if (output.error && lines.length === 0) {
    return <ProblemNotice className="m-3" error={output.error} onRetry={() => void source.toEnd()} />;
  }
  if (lines.length === 0) {
    if (output.isLoading && column.output_tail.text)
      return <Tail text={column.output_tail.text} before={column.output_tail.bytes_before} />;
    if (output.isLoading) return <BodySkeleton />;
    return (
      <BodyNote>
        {column.state.name === "queued" ? (column.waits_for ?? "It waits for its turn.") : "Nothing printed yet."}
      </BodyNote>
    );
  }
  return (
    <Lines
      lines={lines}
      checks={checks}
      version={output.version}
      prepended={output.prepended}
      isStart={output.isStart}
      isEnd={output.isEnd}
      isLoading={output.isLoading}
      label={`Output of attempt ${nameOf(column.slot)}`}
      onEarlier={() => void source.earlier()}
      onLater={() => void source.later()}
      onStart={() => void source.toStart()}
      onEnd={() => void source.toEnd()}
    />
  );
}

/** The end that came with the comparison: there at once, until the output itself is read. */
function Tail({ text, before }: { text: string; before: number }) {
  const box = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);
  return (
    <pre ref={box} className="code h-full overflow-auto whitespace-pre-wrap px-3 py-1.5 [overflow-wrap:anywhere]">
      {before > 0 && (
        <span className="text-faint">
          … {bytes(before)} before{"\n"}
        </span>
      )}
      {text}
    </pre>
  );
}

type LinesProps = {
  lines: readonly Line[];
  checks: readonly string[];
  version: number;
  prepended: number;
  isStart: boolean;
  isEnd: boolean;
  isLoading: boolean;
  label: string;
  onEarlier: () => void;
  onLater: () => void;
  onStart: () => void;
  onEnd: () => void;
};

function Lines(props: LinesProps) {
  const { lines, prepended, isStart, isEnd, isLoading, version } = props;
  const scroller = useRef<HTMLElement>(null);
  const [follows, setFollows] = useState(true);
  const list = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => linesHigh(lines[index], scroller.current?.clientWidth ?? 400) * LINE_PX,
    // A line keeps its key when others are put before it.
    getItemKey: (index) => index - prepended,
    overscan: 30,
  });
  const known = useRef({ prepended, total: 0 });
  const last = useRef({ scrollTop: 0, scrollHeight: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version stands for the lines.
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const grown = prepended - known.current.prepended;
    if (follows) list.scrollToIndex(lines.length - 1, { align: "end" });
    else if (grown !== 0) box.scrollTop += list.getTotalSize() - known.current.total;
    known.current = { prepended, total: list.getTotalSize() };
  }, [version, follows]);
  useEffect(() => {
    known.current.total = list.getTotalSize();
  });
  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    // Only who scrolls up stops following: lines that came in a burst may be below before the end is scrolled to, and
    // lines that turn out lower than thought move what stands below them.
    const { scrollTop, scrollHeight } = box;
    const isUp = scrollTop < last.current.scrollTop && scrollHeight === last.current.scrollHeight;
    last.current = { scrollTop, scrollHeight };
    if (isEnd && below < LINE_PX * 2) setFollows(true);
    else if (isUp) setFollows(false);
    if (box.scrollTop < EDGE_PX && !isStart && !isLoading) props.onEarlier();
    if (below < EDGE_PX && !isEnd && !isLoading) props.onLater();
  };
  const seen = list.getVirtualItems();
  return (
    <div className="relative h-full">
      <section
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={props.label}
        onScroll={onScroll}
        onWheel={(event) => {
          if (event.deltaY < 0) setFollows(false);
        }}
        onTouchMove={() => setFollows(false)}
        onKeyDown={(event) => {
          if (["ArrowUp", "PageUp", "Home"].includes(event.key)) setFollows(false);
        }}
        className="code h-full overflow-y-auto bg-surface focus-visible:-outline-offset-2"
      >
        {!isStart && (
          <button
            type="button"
            onClick={() => {
              setFollows(false);
              props.onStart();
            }}
            className="block w-full border-line border-b py-1 font-sans text-faint text-sm hover:text-text"
          >
            {isLoading ? "reading earlier output…" : "to the beginning"}
          </button>
        )}
        <div className="relative" style={{ height: list.getTotalSize() }}>
          <div className="absolute inset-x-0 top-0" style={{ transform: `translateY(${seen[0]?.start ?? 0}px)` }}>
            {seen.map(({ index, key }) => {
              const line = lines[index];
              return (
                line && (
                  <div key={key} ref={list.measureElement} data-index={index}>
                    {line.mark ? <Mark mark={line.mark} checks={props.checks} /> : <Text line={line} />}
                  </div>
                )
              );
            })}
          </div>
        </div>
      </section>
      {!follows && (
        <button
          type="button"
          onClick={() => {
            if (!isEnd) props.onEnd();
            setFollows(true);
          }}
          className="absolute right-3 bottom-3 flex h-7 items-center gap-1.5 rounded-full border border-line-strong bg-raised px-3 text-sm shadow-lg"
        >
          <ArrowDown size={13} aria-hidden /> End
        </button>
      )}
    </div>
  );
}

function Text({ line }: { line: Line }) {
  return (
    <div
      className={classes(
        "whitespace-pre-wrap border-l-2 pr-3 pl-2.5 [overflow-wrap:anywhere]",
        line.channel === "err" ? "border-bad/60" : "border-transparent",
      )}
    >
      <OutputLine line={line} />
    </div>
  );
}

/** What began here: the setup, the agent, a check by its name. */
function Mark({ mark, checks }: { mark: string; checks: readonly string[] }) {
  const named = mark.replace(/check (\d+)$/, (_, index: string) => `check ${checks[Number(index)] ?? index}`);
  return (
    <div className="flex h-[19px] items-center gap-2 px-3 font-sans text-faint text-xs uppercase tracking-wider">
      {named}
      <span className="h-px flex-1 bg-line" />
    </div>
  );
}

function linesHigh(line: Line | undefined, width: number): number {
  if (!line || line.mark) return 1;
  const perLine = Math.max(10, Math.floor((width - BESIDE_PX) / CHAR_PX));
  return Math.max(1, Math.ceil(line.text.length / perLine));
}
