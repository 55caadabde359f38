import { expect, test } from "vitest";
import type { Entry } from "@/api/types";
import { newest, newestFirst } from "./rows";

function entry(seq: number): Entry {
  return {
    seq,
    at_us: seq * 1_000,
    stream: "run/7q2k9x0m",
    id: `${seq}`,
    kind: "run.requested",
    actor: "user:ana",
    run: "7q2k9x0m",
    attempt: null,
    text: "",
    cause: null,
    cause_seq: null,
  };
}

test("pages that overlap are put together, newest first, each event once", () => {
  const rows = newestFirst([[entry(5), entry(4)], [entry(4), entry(2)], [entry(9)]]);
  expect(rows.map((row) => row.seq)).toEqual([9, 5, 4, 2]);
  expect(newest(rows)).toBe(9);
  expect(newest([])).toBe(0);
});
