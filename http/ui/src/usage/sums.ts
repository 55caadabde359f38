// Sums of what was used, by whatever somebody looks for. Pure. What was not told is counted beside the sum, never as nothing.
import type { UsageRow } from "@/api/types";

export const BYS = ["gateway", "agent", "model", "day"] as const;
export type By = (typeof BYS)[number];

export type Sum = {
  name: string;
  /** Answers of models at gateways, and attempts, apart: they are not the same thing. */
  turns: number;
  attempts: number;
  tokensIn: number;
  tokensCached: number;
  tokensOut: number;
  costMicros: number;
  /** Turns and attempts of which nothing was told, and of which no cost was. */
  untold: number;
  uncosted: number;
  /** Some of it was summed up on the way and not told as a whole. */
  isEstimated: boolean;
};

/** What attempts of this installation are called among the gateways. */
export const OURS = "Regatta's attempts";

const US_PER_DAY = 86_400_000_000;

export function empty(name: string): Sum {
  return {
    name,
    turns: 0,
    attempts: 0,
    tokensIn: 0,
    tokensCached: 0,
    tokensOut: 0,
    costMicros: 0,
    untold: 0,
    uncosted: 0,
    isEstimated: false,
  };
}

/** One sum per name: the largest cost first, days the latest first. */
export function sums(rows: readonly UsageRow[], by: By): Sum[] {
  const all = new Map<string, Sum>();
  for (const row of rows) {
    const name = nameOf(row, by);
    all.set(name, plus(all.get(name) ?? empty(name), row));
  }
  const list = [...all.values()];
  if (by === "day") return list.toSorted((a, b) => b.name.localeCompare(a.name));
  return list.toSorted((a, b) => b.costMicros - a.costMicros || tokens(b) - tokens(a) || a.name.localeCompare(b.name));
}

export function total(rows: readonly UsageRow[]): Sum {
  return rows.reduce(plus, empty("all"));
}

/** Every day from the first to the last, also those on which nothing was used. */
export function days(rows: readonly UsageRow[], firstUs: number, untilUs: number): Sum[] {
  const known = new Map(sums(rows, "day").map((sum) => [sum.name, sum]));
  const all: Sum[] = [];
  for (let day = Math.floor(firstUs / US_PER_DAY); day <= Math.floor(untilUs / US_PER_DAY); day += 1) {
    const name = dayOf(day * US_PER_DAY);
    all.push(known.get(name) ?? empty(name));
  }
  return all;
}

export function tokens(sum: Sum): number {
  return sum.tokensIn + sum.tokensOut;
}

/** `2026-11-22`, in UTC as it is counted. */
export function dayOf(us: number): string {
  return new Date(us / 1_000).toISOString().slice(0, 10);
}

function nameOf(row: UsageRow, by: By): string {
  switch (by) {
    case "gateway":
      return row.gateway ?? OURS;
    case "agent":
      return row.gateway === null ? row.agent : `${row.agent} at ${row.gateway}`;
    case "model":
      return row.model ?? "not told";
    case "day":
      return dayOf(row.day_us);
  }
}

function plus(sum: Sum, row: UsageRow): Sum {
  const isOurs = row.gateway === null;
  return {
    name: sum.name,
    turns: sum.turns + (isOurs ? 0 : row.turns),
    attempts: sum.attempts + (isOurs ? row.turns : 0),
    tokensIn: sum.tokensIn + (row.used.tokens_in ?? 0),
    tokensCached: sum.tokensCached + (row.used.tokens_cached ?? 0),
    tokensOut: sum.tokensOut + (row.used.tokens_out ?? 0),
    costMicros: sum.costMicros + (row.used.cost_usd_micros ?? 0),
    untold: sum.untold + row.untold,
    uncosted: sum.uncosted + row.uncosted,
    isEstimated: sum.isEstimated || row.used.source === "estimated",
  };
}
