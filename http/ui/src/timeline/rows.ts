// The rows of a list of events, newest first, put together from pages of older ones and from what came since. Pure.
import type { Entry, Seq } from "@/api/types";

/** Newest first, each once. */
export function newestFirst(pages: readonly (readonly Entry[])[]): Entry[] {
  const bySeq = new Map<Seq, Entry>();
  for (const page of pages) for (const entry of page) bySeq.set(entry.seq, entry);
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq);
}

/** The newest position that is known. */
export function newest(entries: readonly Entry[]): Seq {
  return entries.reduce((last, entry) => Math.max(last, entry.seq), 0);
}
