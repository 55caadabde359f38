// The one cache of what the server said. Views are never polled: the live connection says when to read again.
import { QueryClient } from "@tanstack/react-query";
import { ProblemError } from "./problem";

/** Refusals are answers; only silence is tried again. */
function isWorthAnotherTry(failures: number, error: Error): boolean {
  const status = error instanceof ProblemError ? error.problem.status : 0;
  return failures < 2 && (status === 0 || status >= 502);
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 30_000, gcTime: 5 * 60_000, retry: isWorthAnotherTry, refetchOnWindowFocus: false },
    mutations: { retry: false },
  },
});
