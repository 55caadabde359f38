// Which two attempts are compared with each other: never one with itself. Pure.
import type { Slot } from "@/api/types";

export type Pair = { from: Slot; to: Slot };
type Wanted = { from: Slot | undefined; to: Slot | undefined; at: Slot | undefined };

/** What was asked for, as far as it can be had; else the first against the one in focus. Nothing when there are no two. */
export function pairOf(slots: readonly Slot[], { from, to, at }: Wanted): Pair | undefined {
  const had = (slot: Slot | undefined) => slots.find((known) => known === slot);
  const left = had(from) ?? slots.find((slot) => slot !== to);
  const right = [had(to), had(at), ...slots].find((slot) => slot !== undefined && slot !== left);
  return left !== undefined && right !== undefined ? { from: left, to: right } : undefined;
}

export function swapped({ from, to }: Pair): Pair {
  return { from: to, to: from };
}

/** Another one on that side; the one from the other side changes places. */
export function withFrom(pair: Pair, slot: Slot): Pair {
  return slot === pair.to ? swapped(pair) : { ...pair, from: slot };
}

export function withTo(pair: Pair, slot: Slot): Pair {
  return slot === pair.from ? swapped(pair) : { ...pair, to: slot };
}
