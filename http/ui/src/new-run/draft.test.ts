import { expect, test } from "vitest";
import { commandOf, type Draft, draftFrom, EMPTY, requestOf, wrongWith } from "./draft";
import { milliseconds } from "./limits";

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
  [{ disk: "2000" }, "disk"],
  [{ output: "0" }, "output"],
  [{ processes: "1.5" }, "processes"],
  [{ starts: "11" }, "starts"],
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
    limits: {
      agent_timeout_ms: 3_600_000,
      memory_bytes_max: 8_589_934_592,
      output_bytes_max: 268_435_456,
      starts_max: 3,
    },
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

test("limits that are not as usual are said as the command line takes them", () => {
  const text = commandOf(draft({ prompt: "x", agentTime: "1h 30m", memory: "12", starts: "1" }));
  expect(text).toBe(
    "REGATTA_RUN_MEMORY=12GiB REGATTA_RUN_STARTS=1 regatta run x --repo /repo -a claude --strategy best --timeout 1h30m",
  );
});

test("what a browser kept comes back as it was", () => {
  const kept = draft({
    attempts: [attempt, { ...attempt, count: 3 }],
    checks: [{ name: "lint", command: "make lint" }],
  });
  expect(draftFrom(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
});

test.each([
  ["nothing", undefined, EMPTY],
  ["no object", "text", EMPTY],
  ["another sort", { prompt: 7, strategy: null, attempts: "three", checks: 1 }, EMPTY],
  ["unknown fields", { token: "x", prompt: "fix it" }, { ...EMPTY, prompt: "fix it" }],
  [
    "half an attempt",
    { attempts: [{ agent: "codex", count: "2" }, null] },
    { ...EMPTY, attempts: [{ ...attempt, agent: "codex" }] },
  ],
])("of what is kept and is %s, only what fits comes back", (_, kept, expected) => {
  expect(draftFrom(kept)).toEqual(expected);
});
