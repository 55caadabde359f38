// A diff, however large: only the rows that are seen are drawn.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTogether } from "../sync";
import { DiffRow, type TakeHunk } from "./diff-row";
import type { FileDiff } from "./patch";
import { fileRows, type Place, placeOf, ROW_PX, type DiffRow as Row, rowNearest, rowsOf } from "./rows";
import { spansOfLine, useSpans } from "./use-spans";

type Props = {
  name: string;
  files: FileDiff[];
  /** A file to bring into view. */
  path?: string | undefined;
  take?: TakeHunk | undefined;
  label: string;
};

export function DiffView({ name, files: diffs, path, take, label }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(diffs, toggled), [diffs, toggled]);
  const files = useMemo(() => fileRows(rows), [rows]);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => ROW_PX[rows[index]?.kind ?? "line"],
    overscan: 20,
    // Attempts that scroll together are drawn together.
    useFlushSync: false,
  });
  const goTo = useCallback(
    (place: Place) => {
      const index = rowNearest(rows, files, place);
      if (index !== undefined) list.scrollToIndex(index, { align: "start" });
    },
    [rows, files, list],
  );
  const moved = useTogether<Place>(name, goTo);
  useEffect(() => {
    if (path) goTo({ path, oldLine: 0 });
  }, [path, goTo]);
  const seen = list.getVirtualItems();
  useSpans(
    seen
      .flatMap(({ index }) => {
        const row = rows[index];
        return row?.kind === "hunk" || row?.kind === "line" ? [{ file: row.file, hunk: row.hunk }] : [];
      })
      .filter((one, index, all) => all.findIndex((other) => other.hunk === one.hunk) === index),
  );
  const flip = (flipped: string) =>
    setToggled((known) => {
      const next = new Set(known);
      if (!next.delete(flipped)) next.add(flipped);
      return next;
    });
  const onScroll = () => {
    const top = list.getVirtualItemForOffset(scroller.current?.scrollTop ?? 0);
    const row = top && rows[top.index];
    if (row) moved(placeOf(row));
  };
  return (
    <section
      ref={scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      aria-label={label}
      onScroll={onScroll}
      className="code h-full overflow-auto bg-surface focus-visible:-outline-offset-2"
    >
      <div className="relative w-max min-w-full" style={{ height: list.getTotalSize() }}>
        <div className="absolute inset-x-0 top-0" style={{ transform: `translateY(${seen[0]?.start ?? 0}px)` }}>
          {seen.map(({ index, key }) => {
            const row = rows[index] as Row;
            return (
              <DiffRow
                key={key}
                row={row}
                take={take}
                spans={row.kind === "line" ? spansOfLine(row.hunk, row.lineIndex) : undefined}
                onToggle={flip}
                onHunk={(hunkRow) => moved(placeOf(hunkRow))}
              />
            );
          })}
        </div>
      </div>
    </section>
  );
}
