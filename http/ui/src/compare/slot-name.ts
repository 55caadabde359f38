// What attempts are called on this page: by their letter, and in a blind comparison by where they stand. The address
// calls them the same, in small letters: a slot in it would tell who is who.
import { createContext, useContext } from "react";
import type { Comparison, Slot } from "@/api/types";
import type { CompareChange } from "./state";

export type NameOf = (slot: Slot) => string;

export function namesIn(comparison: Comparison): NameOf {
  if (!comparison.blind) return (slot) => slot.toUpperCase();
  return (slot) => {
    const place = comparison.columns.findIndex((column) => column.slot === slot);
    return place < 0 ? "?" : letters(place);
  };
}

/** `A` to `Z`, then `AA`, as slots are counted. */
function letters(place: number): string {
  const last = String.fromCharCode("A".charCodeAt(0) + (place % 26));
  return place < 26 ? last : letters(Math.floor(place / 26) - 1) + last;
}

/** What the address says, with slots in place of names. */
export function fromAddress<T extends CompareChange>(change: T, comparison: Comparison): T {
  if (!comparison.blind) return change;
  const nameOf = namesIn(comparison);
  const slots = new Map(comparison.columns.map(({ slot }) => [nameOf(slot).toLowerCase(), slot]));
  return renamed(change, (name) => slots.get(name));
}

/** What is to stand in the address, with names in place of slots. */
export function toAddress<T extends CompareChange>(change: T, comparison: Comparison): T {
  if (!comparison.blind) return change;
  const nameOf = namesIn(comparison);
  return renamed(change, (slot) => nameOf(slot).toLowerCase());
}

function renamed<T extends CompareChange>(change: T, to: (slot: Slot) => Slot | undefined): T {
  const renamed = { ...change };
  for (const field of ["at", "from", "to"] as const) {
    const slot = change[field];
    if (slot !== undefined) renamed[field] = to(slot);
  }
  if (change.chosen) {
    renamed.chosen = change.chosen.flatMap((hunk) => {
      const slot = to(hunk.slot);
      return slot === undefined ? [] : [{ ...hunk, slot }];
    });
  }
  return renamed;
}

export const SlotNames = createContext<NameOf>((slot) => slot.toUpperCase());

export function useSlotName(): NameOf {
  return useContext(SlotNames);
}
