// New rows do not push what somebody reads: while the list is scrolled down they wait, and a button says how many.
import { useState } from "react";
import type { RunRow } from "@/api/types";

/** Rows newer than the newest that was shown. Pure. */
export function newerThan(rows: readonly RunRow[], shownSeq: number): number {
  return rows.filter((row) => row.requested_seq > shownSeq).length;
}

type Arrivals = { shown: RunRow[]; waiting: number; show: () => void };

export function useArrivals(rows: RunRow[], isAtTop: boolean, filter: string): Arrivals {
  const newest = rows[0]?.requested_seq ?? 0;
  const [held, setHeld] = useState({ filter, seq: newest });
  const isSame = held.filter === filter;
  if ((isAtTop || !isSame || held.seq === 0) && (held.seq !== newest || !isSame)) setHeld({ filter, seq: newest });
  const seq = isAtTop || !isSame ? newest : held.seq;
  return {
    shown: rows.filter((row) => row.requested_seq <= seq),
    waiting: newerThan(rows, seq),
    show: () => setHeld({ filter, seq: newest }),
  };
}
