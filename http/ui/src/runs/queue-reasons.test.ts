import { expect, test } from "vitest";
import type { Waiting } from "@/api/types";
import { queueReasons } from "./queue-reasons";

const waiting = (attempt: string, reason: string | null): Waiting => ({
  attempt,
  provider: "local",
  reason,
  since_us: 0,
  waiting_ms: 0,
  not_before_ms: null,
});

test("a run waits for what its longest waiting attempt waits for", () => {
  const queue = [waiting("aaaaaaaa.b", "local 4/4"), waiting("aaaaaaaa.c", "another"), waiting("bbbbbbbb.a", null)];
  expect([...queueReasons(queue)]).toEqual([
    ["aaaaaaaa", "local 4/4"],
    ["bbbbbbbb", "its turn on local"],
  ]);
});
