import { expect, test } from "vitest";
import type { Turn } from "@/api/types";
import { answer } from "@/door/captured";
import { transcriptOf } from "@/gateways/answers";
import { conversation } from "./conversation";
import { NOTHING } from "./hearing";
import { turnsOf } from "./history";

const transcript = (name: string) => {
  const { rows, hasMore } = transcriptOf(answer(name));
  return { told: turnsOf(rows), hasMore, readAtMs: Date.parse("2026-12-01") };
};
const turns = transcript("chat.history: turns");
const toldTurns = turns.told.flatMap((one) => (one.sort === "turn" ? [one.turn] : []));
const recorded = (more: Partial<Turn>): Turn => ({ ...(toldTurns[0] as Turn), ...more });

test("a captured transcript becomes turns with what was asked and said", () => {
  expect(toldTurns).toMatchObject([{ prompt: "[[say answer three]]", text: "answer three", model: "stub-1" }]);
});

test("what was put in and what was reset stand by themselves", () => {
  const { told } = transcript("chat.history");
  expect(told).toMatchObject([
    { sort: "mark", mark: "reset" },
    { sort: "turn", turn: { prompt: null, text: "[note]\n\ninjected note", model: "gateway-injected" } },
  ]);
});

test("what was put in stands there once, as what it is", () => {
  const note = recorded({ run: "note", prompt: null, text: "[note]\n\ninjected note", parts: [], model: null });
  const shown = conversation([note], transcript("chat.history"), NOTHING);
  expect(shown.map((entry) => entry.sort === "turn" && entry.turn.model)).toEqual([false, "gateway-injected"]);
  expect(conversation([note], undefined, NOTHING)).toHaveLength(1);
});

test("a tool's answer in a transcript belongs to its call", () => {
  const row = { id: "e", text: "", tools: [], answers: undefined, run: "r", model: "m", mark: undefined, atMs: 1 };
  const [told] = turnsOf([
    { ...row, role: "user", text: "look" },
    { ...row, role: "assistant", tools: [{ call: "t", name: "read", arguments: "{}" }] },
    { ...row, role: "toolResult", answers: "t", text: "found", run: undefined },
    { ...row, role: "assistant", text: "there" },
  ]);
  expect(told).toMatchObject({
    turn: { prompt: "look", tools: [{ output: "found" }], parts: [{ type: "tool" }, { type: "text", text: "there" }] },
  });
});

test("what was recorded is shown once, as it was recorded, and knows its place in the transcript", () => {
  const [entry, ...others] = conversation([recorded({ text: "as recorded" })], turns, NOTHING);
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ turn: { text: "as recorded" }, isUnrecorded: false, isForgotten: false });
  expect(entry?.sort === "turn" && entry.entry).toBeTruthy();
});

test("what is only in the transcript is shown in its place, and said to be so", () => {
  const later = recorded({
    run: "later",
    started_at_us: (toldTurns[0]?.started_at_us ?? 0) + 5_000_000,
    state: "running",
  });
  const entries = conversation([later], turns, NOTHING);
  expect(entries.map((entry) => entry.sort === "turn" && [entry.turn.run, entry.isUnrecorded])).toEqual([
    [toldTurns[0]?.run, true],
    ["later", false],
  ]);
});

test("what the agent does not see any more is said to be so, unless the transcript was not read that far", () => {
  const gone = recorded({ run: "gone", started_at_us: 1 });
  const forgotten = (hasMore: boolean) =>
    conversation([gone], { ...turns, hasMore }, NOTHING).some((entry) => entry.sort === "turn" && entry.isForgotten);
  expect([forgotten(false), forgotten(true)]).toEqual([true, false]);
  const fresh = recorded({ run: "fresh", ended_at_us: turns.readAtMs * 1_000 });
  expect(conversation([fresh], { ...turns, hasMore: false }, NOTHING)).not.toContainEqual(
    expect.objectContaining({ isForgotten: true }),
  );
  expect(conversation([gone], undefined, NOTHING)).toMatchObject([{ isForgotten: false }]);
});

test("a turn that was heard of before it could be read stands at the end", () => {
  const hearing = { texts: new Map([["new", "I be"]]), phase: undefined };
  expect(conversation([], turns, hearing).at(-1)).toMatchObject({
    turn: { run: "new", text: "I be", state: "running" },
  });
});
