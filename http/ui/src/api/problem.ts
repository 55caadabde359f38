// Problems (RFC 9457) as the server says them, and the one made here when it cannot be reached.

import type { Problem } from "./types";

/** A request that got no good answer. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** Any failure as a problem a person can read. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: "/problems/page", title: "page", status: 0, detail, hint: "reload the page" };
}

/** The server did not answer at all. */
export function unreachable(): Problem {
  return {
    type: "/problems/unreachable",
    title: "unreachable",
    status: 0,
    detail: "the server does not answer",
    hint: "start it: regatta up",
  };
}

/** Reads the body of a refused request. */
export async function problemFrom(response: Response): Promise<Problem> {
  const plain: Problem = {
    type: "/problems/http",
    title: response.statusText,
    status: response.status,
    detail: `the server answered ${response.status} ${response.statusText}`.trim(),
  };
  if (!response.headers.get("content-type")?.includes("json")) return plain;
  try {
    return { ...plain, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return plain;
  }
}
