// Which columns stand side by side. Pure: widths are arguments.
import type { Layout } from "./state";

/** Narrower columns are not worth reading. */
const SPLIT_PX_MIN = 300;
const GRID_PX_MIN = 420;

export type Window = { first: number; count: number; perRow: number; rows: number };

/** How many columns are shown at once, and around which one. */
export function windowOf(layout: Layout, total: number, at: number, widthPx: number): Window {
  if (total === 0) return { first: 0, count: 0, perRow: 1, rows: 1 };
  const columnsIn = (px: number) => Math.max(1, Math.min(total, Math.floor(widthPx / px)));
  let perRow = 1;
  let rows = 1;
  if (layout === "split") perRow = columnsIn(SPLIT_PX_MIN);
  if (layout === "grid") {
    const across = columnsIn(GRID_PX_MIN);
    rows = total > 1 ? 2 : 1;
    perRow = Math.max(1, Math.min(across, Math.ceil(total / rows)));
    rows = Math.min(rows, Math.ceil(total / perRow));
  }
  const count = Math.min(total, perRow * rows);
  // Whole pages, so that going from one to the next does not move everything by one.
  const first = Math.min(Math.floor(at / count) * count, total - count);
  return { first, count, perRow, rows };
}
