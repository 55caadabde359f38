import { expect, test } from "vitest";
import { answer } from "@/door/captured";
import { agentsOf, commandsOf, costOf, fileOf, filesOf, modelsOf, sessionsOf, transcriptOf } from "./answers";

test("captured sessions are read", () => {
  const { rows, total } = sessionsOf(answer("sessions.list"));
  expect(total).toBe(3);
  expect(rows[0]).toMatchObject({
    key: "agent:main:cap-mwrgh2pi",
    agent: "main",
    isActive: false,
    model: "stub-1",
    thinkingLevels: ["off"],
    contextUsed: 100,
    contextMax: 128_000,
    costUsd: 0.00028000000000000003,
  });
});

test("a context that the gateway has not counted anew is not known", () => {
  const row = { key: "k", totalTokens: 7, totalTokensFresh: false };
  expect(sessionsOf({ sessions: [row] }).rows[0]).toMatchObject({ contextUsed: undefined, isActive: undefined });
});

test("captured agents and their files are read", () => {
  expect(agentsOf(answer("agents.list"))).toMatchObject([
    { id: "main", isDefault: true, model: "stub/stub-1" },
    { id: "fixture-bot", isDefault: false, name: expect.stringContaining("Fixture Bot") },
  ]);
  const files = filesOf(answer("agents.files.list"));
  expect(files.map((file) => [file.name, file.isMissing])).toContainEqual(["MEMORY.md", true]);
  expect(fileOf(answer("agents.files.get"))).toMatchObject({
    content: "# Soul\nBe brief.\n",
    hash: expect.any(String),
  });
  expect(fileOf(answer("agents.files.get: missing"))).toMatchObject({ isMissing: true, hash: undefined });
});

test("captured models and costs are read", () => {
  expect(modelsOf(answer("models.list")).map((model) => model.id)).toEqual(["stub/stub-1", "stub/stub-2"]);
  expect(costOf(answer("usage.cost"))).toMatchObject({ days: 7, tokens: 4_680, unpriced: 0, isCounting: true });
});

test("a transcript knows whose turn each row is", () => {
  const { rows, hasMore, session } = transcriptOf(answer("chat.history: turns"));
  expect(hasMore).toBe(true);
  expect(new Set(rows.map((row) => row.run)).size).toBe(1);
  expect(session?.key).toBe("agent:main:fx-hist-mwrh0eir");
});

test("an answer of another shape is an empty one", () => {
  for (const odd of [undefined, null, 7, "x", [], {}, { sessions: 7, agents: {}, files: "x", models: null }]) {
    expect(sessionsOf(odd).rows).toEqual([]);
    expect([agentsOf(odd), filesOf(odd), modelsOf(odd), commandsOf(odd)]).toEqual([[], [], [], []]);
    expect([fileOf(odd), costOf(odd)]).toEqual([undefined, undefined]);
    expect(transcriptOf(odd)).toMatchObject({ rows: [], hasMore: false });
  }
});
