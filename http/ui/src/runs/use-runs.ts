// The list of runs, newest first; older pages are read when somebody scrolls there. What happens makes the page read the
// newest page again, and of older pages only the runs it happened to: somebody who scrolled through thousands of runs
// must not read thousands again whenever one of them moves.
import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { getJson } from "@/api/client";
import type { RunPage, RunRow } from "@/api/types";
import { runOf } from "@/live/touched";
import { useEvents } from "@/live/use-live";
import { useReplay } from "@/replay/replay";
import { freshened, olderThan, type Pages, replaced } from "./pages";

const PAGE = 60;
/** What changed is read at most this often. */
const FRESH_MS = 250;

export type RunQuery = { state?: string; text?: string; repository?: string };

export function useRuns(query: RunQuery) {
  const { asOf } = useReplay();
  const key = ["runs", query, asOf];
  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) =>
      getJson("/runs", { ...query, limit: PAGE, before: pageParam, as_of: asOf }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: RunPage) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: asOf === undefined ? 0 : Number.POSITIVE_INFINITY,
  });
  useFresh(key, query, asOf === undefined);
  const rows = useMemo((): RunRow[] => pages.data?.pages.flatMap((page) => page.rows) ?? [], [pages.data]);
  return { ...pages, rows };
}

function useFresh(key: unknown[], query: RunQuery, isOn: boolean): void {
  const client = useQueryClient();
  const touched = useRef(new Set<string>());
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef({ key, query });
  latest.current = { key, query };
  const read = async () => {
    timer.current = undefined;
    const asked = latest.current;
    const runs = [...touched.current];
    touched.current.clear();
    const newest = await getJson("/runs", { ...asked.query, limit: PAGE });
    const held = client.setQueryData<Pages>(asked.key, (pages) => pages && freshened(pages, newest));
    const older = held ? olderThan(held, newest) : new Set<string>();
    for (const run of runs.filter((id) => older.has(id))) {
      const { row } = await getJson(`/runs/${run}`);
      client.setQueryData<Pages>(asked.key, (pages) => pages && replaced(pages, row));
    }
  };
  useEvents((event) => {
    const run = isOn ? runOf(event.stream) : undefined;
    if (run === undefined) return;
    touched.current.add(run);
    // The connection bar says when reading fails; the next event, or the reconnection, reads again.
    timer.current ??= setTimeout(() => void read().catch(() => undefined), FRESH_MS);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
}
