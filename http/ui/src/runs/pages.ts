// Pages of the list of runs, kept fresh without reading them all again. Pure.
import type { InfiniteData } from "@tanstack/react-query";
import type { RunPage, RunRow, Seq } from "@/api/types";

export type Pages = InfiniteData<RunPage, Seq | undefined>;

/**
 * The pages with the newest one read again: new runs are put before the others, those that the filter no longer shows
 * are gone. When so many are new that the page does not reach what is known, it is all there is.
 */
export function freshened(pages: Pages, newest: RunPage): Pages {
  const known = pages.pages[0]?.rows[0]?.requested_seq ?? 0;
  const from = newest.next === null ? 0 : (newest.rows.at(-1)?.requested_seq ?? 0);
  if (from > known) return { pages: [newest], pageParams: [undefined] };
  const [first, ...rest] = pages.pages.map((page) => ({
    ...page,
    rows: page.rows.filter((row) => row.requested_seq < from),
  }));
  if (!first) return { pages: [newest], pageParams: [undefined] };
  return { ...pages, pages: [{ ...first, rows: [...newest.rows, ...first.rows] }, ...rest] };
}

/** Runs that are held and not on the newest page. */
export function olderThan(pages: Pages, newest: RunPage): Set<string> {
  const fresh = new Set(newest.rows.map((row) => row.id));
  return new Set(pages.pages.flatMap((page) => page.rows.map((row) => row.id).filter((id) => !fresh.has(id))));
}

export function replaced(pages: Pages, row: RunRow): Pages {
  const rows = (page: RunPage) => page.rows.map((known) => (known.id === row.id ? row : known));
  return { ...pages, pages: pages.pages.map((page) => ({ ...page, rows: rows(page) })) };
}
