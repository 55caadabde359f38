import { expect, test } from "vitest";
import { commandOf, type Draft, EMPTY, milliseconds, requestOf, wrongWith } from "./draft";

const draft = (change: Partial<Draft> = {}): Draft => ({ ...EMPTY, prompt: "fix it", repository: "/repo", ...change });
const attempt = { agent: "claude", command: "", model: "", sandbox: "local", count: 1 };

test.each([
  ["90s", 90_000],
  ["10m", 600_000],
  ["1h 30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["10", undefined],
  ["soon", undefined],
  ["10m x", undefined],
  ["", undefined],
])("a time is read as people write it: %s", (text, time) => {
  expect(milliseconds(text)).toBe(time);
});

test("a complete run has nothing wrong", () => {
  expect(wrongWith(draft())).toEqual({});
});

test.each([
  [{ prompt: "  " }, "prompt"],
  [{ prompt: "é".repeat(600_000) }, "prompt"],
  [{ repository: "" }, "repository"],
  [{ repository: "relative" }, "repository"],
  [{ attempts: [] }, "attempts"],
  [{ attempts: [{ ...attempt, count: 101 }] }, "attempts"],
  [{ attempts: [{ ...attempt, agent: "command" }] }, "attempt0"],
  [
    {
      checks: [
        { name: "a", command: "x" },
        { name: "a", command: "y" },
      ],
    },
    "checks",
  ],
  [{ checks: [{ name: "", command: "x" }] }, "checks"],
  [{ agentTime: "soon" }, "agentTime"],
  [{ checkTime: "8d" }, "checkTime"],
  [{ memory: "much" }, "memory"],
])("%j is wrong in %s", (change, field) => {
  expect(Object.keys(wrongWith(draft(change)))).toEqual([field]);
});

test("counts become attempts, empty fields are left out", () => {
  const request = requestOf(
    draft({
      attempts: [
        { ...attempt, model: " opus ", count: 2 },
        { ...attempt, agent: "command", command: "./x" },
      ],
    }),
  );
  expect(request.attempts).toEqual([
    { agent: "claude", command: undefined, model: "opus", sandbox: "local" },
    { agent: "claude", command: undefined, model: "opus", sandbox: "local" },
    { agent: "command", command: "./x", model: undefined, sandbox: "local" },
  ]);
  expect(request).toMatchObject({
    base: undefined,
    checks: [],
    limits: { agent_timeout_ms: 3_600_000, memory_bytes_max: 8_589_934_592 },
  });
});

test("the command says the same", () => {
  const text = commandOf(
    draft({
      prompt: "don't break",
      attempts: [{ ...attempt, model: "opus", sandbox: "host", count: 3 }],
      checks: [{ name: "t", command: "make test" }],
    }),
  );
  expect(text).toBe(
    "regatta run 'don'\\''t break' --repo /repo -a 'claude:opus@host*3' --check 't=make test' --strategy best",
  );
});
