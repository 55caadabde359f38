// The list of runs, newest first: the first page is kept fresh by the live connection, older pages are added on demand.
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getJson } from "@/api/client";
import type { RunPage, RunRow } from "@/api/types";
import { useReplay } from "@/replay/replay";

const PAGE = 60;

export type RunQuery = { state?: string; text?: string; repository?: string };

export function useRuns(query: RunQuery) {
  const { asOf } = useReplay();
  const pages = useInfiniteQuery({
    queryKey: ["view", "/runs", { ...query, paged: true }, asOf],
    queryFn: ({ pageParam, signal }) =>
      getJson<RunPage>("/runs", { ...query, limit: PAGE, before: pageParam, as_of: asOf }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? page.next_before ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: asOf === undefined ? 30_000 : Number.POSITIVE_INFINITY,
  });
  const rows: RunRow[] = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  return { ...pages, rows };
}
