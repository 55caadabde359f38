// The events a filter shows, newest first: older ones by page as somebody scrolls, newer ones as they happen. While
// somebody pauses or reads further down, what is new is counted and kept back, so that no row jumps.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { getJson, type Params } from "@/api/client";
import type { Entry, EntryPage, Seq } from "@/api/types";
import { useEvents } from "@/live/use-live";
import { useReplay } from "@/replay/replay";
import { newest, newestFirst } from "./rows";

const PAGE = 200;
/** What is new is asked for at most this often. */
const FRESH_MS = 250;

export type Entries = {
  rows: Entry[];
  /** How many came since, and are kept back. */
  kept: number;
  showKept: () => void;
  isPending: boolean;
  error: Error | null;
  retry: () => void;
  hasOlder: boolean;
  readOlder: () => void;
};

export function useEntries(params: Params, isFollowing: boolean): Entries {
  const { asOf } = useReplay();
  const key = JSON.stringify([params, asOf]);
  const older = useInfiniteQuery({
    // Not a "view": what came since is added, never read again.
    queryKey: ["entries", key],
    queryFn: ({ pageParam, signal }) =>
      getJson("/timeline", { ...params, before: pageParam, limit: PAGE, as_of: asOf }, signal),
    initialPageParam: undefined as Seq | undefined,
    getNextPageParam: (last: EntryPage) => last.next ?? undefined,
    staleTime: asOf === undefined ? 0 : Number.POSITIVE_INFINITY,
    refetchOnReconnect: false,
  });
  const pages = useMemo(() => newestFirst((older.data?.pages ?? []).map((page) => page.rows)), [older.data]);
  const fresh = useFresh(key, params, older.data ? newest(pages) : undefined, asOf === undefined);
  const [shownUntil, setShownUntil] = useState<{ key: string; seq: Seq }>({ key, seq: 0 });
  const last = newest(fresh);
  useEffect(() => {
    if (isFollowing) setShownUntil({ key, seq: last });
  }, [isFollowing, key, last]);
  const until = shownUntil.key === key ? shownUntil.seq : 0;
  const shown = useMemo(() => fresh.filter((entry) => isFollowing || entry.seq <= until), [fresh, isFollowing, until]);
  return {
    rows: useMemo(() => newestFirst([shown, pages]), [shown, pages]),
    kept: fresh.length - shown.length,
    showKept: useCallback(() => setShownUntil({ key, seq: last }), [key, last]),
    isPending: older.isPending,
    error: older.error,
    retry: () => void older.refetch(),
    hasOlder: older.hasNextPage,
    readOlder: () => {
      if (older.hasNextPage && !older.isFetchingNextPage) void older.fetchNextPage();
    },
  };
}

/** What happened since the list was first read. Any event of the log wakes us; the server says which ones are wanted. */
function useFresh(key: string, params: Params, since: Seq | undefined, isOn: boolean): Entry[] {
  const [found, setFound] = useState<{ key: string; rows: Entry[] }>({ key, rows: [] });
  const rows = useMemo(() => (found.key === key ? found.rows : []), [found, key]);
  const state = useRef({
    timer: undefined as ReturnType<typeof setTimeout> | undefined,
    isReading: false,
    again: false,
  });
  const latest = useRef({ key, params, since, rows, isOn });
  latest.current = { key, params, since, rows, isOn };

  const read = useCallback(async () => {
    const now = state.current;
    now.timer = undefined;
    const { key: asked, params: wanted, since: start, rows: known, isOn: wants } = latest.current;
    if (!wants || start === undefined) return;
    if (now.isReading) {
      now.again = true;
      return;
    }
    now.isReading = true;
    try {
      const after = Math.max(start, newest(known));
      const page = await getJson("/timeline", { ...wanted, after, limit: PAGE });
      if (page.rows.length > 0 && latest.current.key === asked) {
        const all = newestFirst([known, page.rows]);
        latest.current.rows = all;
        setFound({ key: asked, rows: all });
        now.again ||= page.next !== null;
      }
    } catch {
      // The connection bar says it; the next event, or the reconnection, reads again.
    } finally {
      now.isReading = false;
      if (now.again) {
        now.again = false;
        void read();
      }
    }
  }, []);

  useEvents(() => {
    state.current.timer ??= setTimeout(() => void read(), FRESH_MS);
  });
  useEffect(() => {
    const now = state.current;
    return () => {
      clearTimeout(now.timer);
      now.timer = undefined;
    };
  }, []);
  return rows;
}
