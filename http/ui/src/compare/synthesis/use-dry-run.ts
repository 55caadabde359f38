// Whether the chosen hunks fit together: asked of the server at every change of the choice, before anything is made.
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { command } from "@/api/client";
import { ProblemError } from "@/api/problem";
import type { Conflict } from "@/api/types";
import { type ChosenHunk, wireHunks } from "./chosen";

export type DryRun = { conflicts: Conflict[] };

export function useDryRun(run: string, chosen: readonly ChosenHunk[]): UseQueryResult<DryRun, Error> {
  return useQuery<DryRun, Error>({
    queryKey: ["synthesize", run, chosen],
    queryFn: async () => {
      try {
        const body = { hunks: wireHunks(chosen), reason: "" };
        const answer = await command("POST", `/runs/${run}/synthesize`, body, {
          params: { dry_run: true },
        });
        return { conflicts: answer?.conflicts ?? [] };
      } catch (error) {
        // A conflict is an answer, not a failure.
        if (error instanceof ProblemError && error.problem.conflicts) return { conflicts: error.problem.conflicts };
        throw error;
      }
    },
    enabled: chosen.length > 0,
    staleTime: 60_000,
  });
}
