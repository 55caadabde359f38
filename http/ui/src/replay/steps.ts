// From event to event: the next one, the one before, and how long a replay rests at each.
import { getJson, type Params } from "@/api/client";
import type { Entry, Seq } from "@/api/types";

/** How fast the past goes by; 1 is as it was. */
export const SPEEDS = [0.5, 1, 2, 5, 10] as const;
export type Speed = (typeof SPEEDS)[number];

/** Bounds of the rest between two events, so that neither a burst nor a night blocks a replay. */
const REST_MS_MIN = 60;
const REST_MS_MAX = 2_000;

/** How long to rest before an event, in milliseconds. Pure. */
export function rest(fromUs: number, toUs: number, speed: Speed): number {
  const passed = (toUs - fromUs) / 1_000 / speed;
  return Math.min(REST_MS_MAX, Math.max(REST_MS_MIN, passed));
}

/** What is printed between two events is shown this often. */
const STEP_MS = 400;

export type Stop = { seq: Seq; afterMs: number };

/** Where a replay goes on its way to the next event, and after how long: there, or to some of what is printed before. */
export function nextStop(at: Seq, atUs: number, next: Pick<Entry, "seq" | "at_us">, speed: Speed): Stop {
  const whole = rest(atUs, next.at_us, speed);
  const between = next.seq - at - 1;
  if (between < 1 || whole <= STEP_MS) return { seq: next.seq, afterMs: whole };
  return { seq: at + Math.min(between, Math.ceil((between * STEP_MS) / whole)), afterMs: STEP_MS };
}

/** Events after a position, oldest first. */
export async function after(seq: Seq, params: Params, limit: number): Promise<Entry[]> {
  const page = await getJson("/timeline", { ...params, after: seq, limit });
  return page.rows.toSorted((a, b) => a.seq - b.seq);
}

/** The last event before a position. */
export async function before(seq: Seq, params: Params): Promise<Entry | undefined> {
  const page = await getJson("/timeline", { ...params, before: seq, limit: 1 });
  return page.rows.at(-1);
}
