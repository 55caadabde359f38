// What merging each attempt's work would come to. Asked of git when there is something to merge; nothing is changed.
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { getJson } from "@/api/client";
import type { Comparison, MergePreview } from "@/api/types";

export function useMergePreview(
  comparison: Comparison | undefined,
  isReplay: boolean,
): UseQueryResult<MergePreview, Error> {
  const patches = comparison?.columns.map((column) => column.patch?.hash ?? "") ?? [];
  return useQuery<MergePreview, Error>({
    // Patches do not change; the target may, so it is asked again now and then.
    queryKey: ["merge", comparison?.run, patches.join()],
    queryFn: ({ signal }) => getJson(`/runs/${comparison?.run}/merge-preview`, {}, signal),
    enabled: comparison !== undefined && !isReplay && patches.some((hash) => hash !== ""),
    staleTime: 60_000,
  });
}
