import { expect, test } from "vitest";
import type { UsageRow } from "@/api/types";
import { days, OURS, sums, tokens, total } from "./sums";

const DAY = 86_400_000_000;
const row = (more: Partial<UsageRow>, cost: number | null = 10): UsageRow => ({
  day_us: 20_000 * DAY,
  gateway: "main",
  agent: "main",
  model: "m",
  turns: 1,
  untold: 0,
  uncosted: cost === null ? 1 : 0,
  used: { tokens_in: 5, tokens_cached: 1, tokens_out: 2, cost_usd_micros: cost, source: "reported" },
  ...more,
});

test("answers at gateways and attempts are counted apart, and their tokens and costs together", () => {
  const all = total([row({}), row({ gateway: null, agent: "claude" }, null)]);
  expect(all).toMatchObject({ turns: 1, attempts: 1, costMicros: 10, uncosted: 1, tokensCached: 2 });
  expect(tokens(all)).toBe(14);
});

test("each way to look gives every row one name, the costliest first", () => {
  const rows = [row({}), row({ gateway: null, agent: "claude", model: null }, 30), row({ gateway: "attic" }, 20)];
  expect(sums(rows, "gateway").map((sum) => sum.name)).toEqual([OURS, "attic", "main"]);
  expect(sums(rows, "agent").map((sum) => sum.name)).toEqual(["claude", "main at attic", "main at main"]);
  expect(sums(rows, "model").map((sum) => [sum.name, sum.costMicros])).toEqual([
    ["m", 30],
    ["not told", 30],
  ]);
});

test("days on which nothing was used are there", () => {
  const all = days([row({})], 19_999 * DAY, 20_001 * DAY + 5);
  expect(all.map((day) => day.costMicros)).toEqual([0, 10, 0]);
  expect(all[1]?.name).toBe("2024-10-04");
});

test("a sum in which something was estimated is an estimate", () => {
  const used = { tokens_in: 1, tokens_cached: 0, tokens_out: 0, cost_usd_micros: null, source: "estimated" as const };
  expect(total([row({}), row({ used })]).isEstimated).toBe(true);
  expect(total([row({})]).isEstimated).toBe(false);
});
