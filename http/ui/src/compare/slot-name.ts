// What attempts are called on this page: by their letter, and in a blind comparison by where they stand.
import { createContext, useContext } from "react";
import type { Comparison, Slot } from "@/api/types";

export type NameOf = (slot: Slot) => string;

export function namesIn(comparison: Comparison): NameOf {
  if (!comparison.blind) return (slot) => slot.toUpperCase();
  return (slot) => {
    const place = comparison.columns.findIndex((column) => column.slot === slot);
    return place < 0 ? "?" : String.fromCharCode("A".charCodeAt(0) + (place % 26)).repeat(1 + Math.floor(place / 26));
  };
}

export const SlotNames = createContext<NameOf>((slot) => slot.toUpperCase());

export function useSlotName(): NameOf {
  return useContext(SlotNames);
}
