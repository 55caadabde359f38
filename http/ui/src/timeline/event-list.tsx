// A list of events, newest first. Only the rows in view exist; a list of a million stays smooth.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Entry, Seq } from "@/api/types";
import { actorName } from "@/format/actor";
import { count } from "@/format/numbers";
import { moment, timeOfDay } from "@/format/time";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";

const ROW_PX = 28;

type Props = {
  rows: Entry[];
  kept: number;
  onShowKept: () => void;
  chosen: Seq | undefined;
  onChoose: (seq: Seq) => void;
  hasOlder: boolean;
  onOlder: () => void;
  /** The list stands at its newest row, or was scrolled away from it. */
  onTop: (isAtTop: boolean) => void;
};

export function EventList({ rows, kept, onShowKept, chosen, onChoose, hasOlder, onOlder, onTop }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => rows[index]?.seq ?? index,
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasOlder && last >= rows.length - 20) onOlder();
  }, [hasOlder, last, rows.length, onOlder]);
  return (
    <div className="relative min-h-0 flex-1">
      {kept > 0 && (
        <div className="-translate-x-1/2 absolute top-2 left-1/2 z-20">
          <Button
            size="small"
            look="primary"
            onClick={() => {
              onShowKept();
              scroller.current?.scrollTo({ top: 0 });
            }}
          >
            {count(kept)} new
          </Button>
        </div>
      )}
      <div
        ref={scroller}
        onScroll={(event) => onTop(event.currentTarget.scrollTop < ROW_PX)}
        className="h-full overflow-y-auto"
        role="log"
        aria-label="Events"
        aria-live="off"
      >
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {shown.map(({ index, key, start }) => {
            const entry = rows[index];
            if (!entry) return null;
            return <EventRow key={key} entry={entry} top={start} isChosen={entry.seq === chosen} onChoose={onChoose} />;
          })}
        </div>
      </div>
    </div>
  );
}

type RowProps = { entry: Entry; top: number; isChosen: boolean; onChoose: (seq: Seq) => void };

function EventRow({ entry, top, isChosen, onChoose }: RowProps) {
  return (
    <button
      type="button"
      aria-current={isChosen}
      data-seq={entry.seq}
      onClick={() => onChoose(entry.seq)}
      style={{ height: ROW_PX, transform: `translateY(${top}px)` }}
      className={classes(
        "absolute inset-x-0 flex w-full items-center gap-3 border-line border-b px-4 text-left hover:bg-raised",
        isChosen && "bg-accent-wash",
      )}
    >
      <span className="w-16 shrink-0 text-right text-faint max-sm:w-10">{count(entry.seq)}</span>
      <span className="w-24 shrink-0 text-soft max-sm:hidden" title={moment(entry.at_us)}>
        {timeOfDay(entry.at_us)}
      </span>
      <span className="w-44 shrink-0 truncate max-md:w-32">
        <KindName kind={entry.kind} />
      </span>
      <span className="w-24 shrink-0 truncate text-soft max-lg:hidden" title={entry.actor}>
        {actorName(entry.actor)}
      </span>
      <span className="min-w-0 flex-1 truncate" title={entry.text}>
        {entry.text}
      </span>
      <span className="w-24 shrink-0 truncate text-right text-faint max-md:hidden">{entry.attempt ?? entry.run}</span>
    </button>
  );
}

/** The family of a kind is quieter than what happened. */
export function KindName({ kind }: { kind: string }) {
  const [family, ...rest] = kind.split(".");
  return (
    <>
      <span className="text-faint">{family}.</span>
      <span className={rest.join(".").includes("fail") ? "text-bad" : ""}>{rest.join(".")}</span>
    </>
  );
}
