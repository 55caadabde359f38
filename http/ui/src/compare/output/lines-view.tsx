// The lines that are held, of which only those that are seen are drawn. It follows the end until somebody scrolls up.
//
// Eight of these scroll at once: what happens per frame must not depend on how many lines are held, must not make the
// browser lay out, and draws only rows that were not there before.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { classes } from "@/parts/classes";
import { useTogether } from "../sync";
import { useWidth } from "../use-width";
import { OutputLine } from "./ansi";
import { heightOf, isCertain, LINE_PX } from "./heights";
import type { Line } from "./lines";
import { remarkLook } from "./words";

/** So near to an edge the next page is read. */
const EDGE_PX = 600;
/** Drawn beyond what is seen, so that a turn of the wheel finds them there. */
const OVERSCAN_LINES = 12;

/** How columns go together: by as much as the one that is scrolled, or to what is printed now. */
type Move = { by: number } | "end";

type Props = {
  /** Whose output it is, among those that scroll together. */
  name: string;
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

export function Lines(props: Props) {
  const { lines, prepended, isStart, isEnd, isLoading, version } = props;
  const scroller = useRef<HTMLElement>(null);
  const width = useWidth(scroller);
  const [follows, setFollows] = useState(true);
  // A line keeps its key when others are put before it. The same function as long as keys are the same: another one
  // makes the list measure everything anew.
  const getItemKey = useCallback((index: number) => index - prepended, [prepended]);
  const list = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => heightOf(lines[index], width),
    getItemKey,
    overscan: OVERSCAN_LINES,
    // All columns that scroll are drawn together, and the browser lays out once.
    useFlushSync: false,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another width, other heights.
  useLayoutEffect(() => list.measure(), [width]);
  const known = useRef({ prepended, total: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version stands for the lines.
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const grown = prepended - known.current.prepended;
    if (follows) list.scrollToIndex(lines.length - 1, { align: "end" });
    else if (grown !== 0) box.scrollTop += list.getTotalSize() - known.current.total;
    known.current = { prepended, total: list.getTotalSize() };
  }, [version, follows, width]);
  useEffect(() => {
    known.current.total = list.getTotalSize();
  });
  const toEnd = () => {
    if (!isEnd) props.onEnd();
    setFollows(true);
  };
  const moved = useTogether<Move>(props.name, (move) => {
    if (move === "end") toEnd();
    else {
      if (move.by < 0) setFollows(false);
      if (scroller.current) scroller.current.scrollTop += move.by;
    }
  });
  const last = useRef({ scrollTop: 0, scrollHeight: 0 });
  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const { scrollTop, scrollHeight, clientHeight } = box;
    const below = scrollHeight - scrollTop - clientHeight;
    // Only who scrolls up stops following: lines that came in a burst may be below before the end is scrolled to, and
    // lines that turn out lower than thought move what stands below them.
    const by = scrollHeight === last.current.scrollHeight ? scrollTop - last.current.scrollTop : 0;
    const isUp = by < 0;
    last.current = { scrollTop, scrollHeight };
    // What follows the end moves by itself, and leads nobody.
    if (by !== 0 && (isUp || !follows)) moved({ by });
    if (isEnd && below < LINE_PX * 2) setFollows(true);
    else if (isUp) setFollows(false);
    if (scrollTop < EDGE_PX && !isStart && !isLoading) props.onEarlier();
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
        className="code h-full overflow-y-auto bg-surface [contain:strict] focus-visible:-outline-offset-2"
      >
        {!isStart && (
          <button
            type="button"
            onClick={() => {
              setFollows(false);
              props.onStart();
            }}
            className="block w-full border-line border-b py-1 max-md:py-2.5 font-sans text-faint text-sm hover:text-text"
          >
            {isLoading ? "reading earlier output…" : "to the beginning"}
          </button>
        )}
        {/* Each row stands by itself: those that stay are neither laid out nor painted again when others come. */}
        <div className="relative" style={{ height: list.getTotalSize() }}>
          {seen.map(({ index, key, start }) => {
            const line = lines[index];
            if (!line) return null;
            const measure = isCertain(line, width) ? undefined : list.measureElement;
            return <Row key={key} line={line} index={index} top={start} checks={props.checks} measure={measure} />;
          })}
        </div>
      </section>
      {!follows && (
        <button
          type="button"
          onClick={() => {
            toEnd();
            moved("end");
          }}
          className="absolute right-3 bottom-3 flex h-7 max-md:h-10 items-center gap-1.5 rounded-full border border-line-strong bg-raised px-3 text-sm shadow-lg"
        >
          <ArrowDown size={13} aria-hidden /> End
        </button>
      )}
    </div>
  );
}

type RowProps = {
  line: Line;
  index: number;
  top: number;
  checks: readonly string[];
  /** For a line whose height only the browser knows. */
  measure: ((row: Element | null) => void) | undefined;
};

/** One element for one line: as little as can be made and thrown away at every frame. */
const Row = memo(function Row({ line, index, top, checks, measure }: RowProps) {
  if (line.mark) return <Mark mark={line.mark} top={top} checks={checks} />;
  return (
    <div
      ref={measure}
      data-index={index}
      style={{ top }}
      className={classes(
        "absolute inset-x-0 whitespace-pre-wrap border-l-2 pr-3 pl-2.5 [overflow-wrap:anywhere]",
        line.channel === "err" ? "border-bad/60" : "border-transparent",
        remarkLook(line.remark),
      )}
    >
      <OutputLine line={line} />
    </div>
  );
});

/** What began here: the setup, the agent, a check by its name. */
function Mark({ mark, top, checks }: { mark: string; top: number; checks: readonly string[] }) {
  // A check's name may be long, and is not ours to change.
  const check = /^(.*check )(\d+)$/.exec(mark);
  const name = check && (checks[Number(check[2])] ?? check[2]);
  return (
    <div
      style={{ top }}
      className="absolute inset-x-0 flex h-[19px] items-center gap-2 px-3 font-sans text-faint text-xs"
    >
      <span className="shrink-0 uppercase tracking-wider">{check ? check[1] : mark}</span>
      {name && (
        <span className="truncate" title={name}>
          {name}
        </span>
      )}
      <span className="h-px min-w-4 flex-1 bg-line" />
    </div>
  );
}
