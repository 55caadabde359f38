// Why attempts of a run wait, by run. Pure.
import type { Waiting } from "@/api/types";

/** The reason of whoever waits longest; the others of a run mostly wait for the same. */
export function queueReasons(queue: readonly Waiting[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const { attempt, provider, reason } of queue) {
    const run = attempt.slice(0, attempt.indexOf("."));
    if (!reasons.has(run)) reasons.set(run, reason ?? `its turn on ${provider}`);
  }
  return reasons;
}
