// The patch of an attempt. It never changes once it was collected: its hash is its name in the cache.
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { getText } from "@/api/client";
import { type FileDiff, readPatch } from "./patch";

export function usePatch(attempt: string, hash: string | undefined): UseQueryResult<FileDiff[], Error> {
  return useQuery<FileDiff[], Error>({
    queryKey: ["patch", hash],
    queryFn: async ({ signal }) => readPatch(await getText(`/attempts/${attempt}/diff`, {}, signal)),
    enabled: hash !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** How what one attempt left differs from what another left. */
export function usePatchBetween(from: string, to: string, hashes: string): UseQueryResult<FileDiff[], Error> {
  return useQuery<FileDiff[], Error>({
    queryKey: ["patch", from, to, hashes],
    queryFn: async ({ signal }) => readPatch(await getText(`/attempts/${to}/diff`, { against: from }, signal)),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
