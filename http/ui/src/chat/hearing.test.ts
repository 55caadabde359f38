import { expect, test } from "vitest";
import type { Turn } from "@/api/types";
import { events } from "@/door/captured";
import { heard, NOTHING, sessionOf, tailOf, withHeard } from "./hearing";
import { turnsOf } from "./history";

const told = turnsOf([
  {
    id: "e",
    role: "user",
    text: "hi",
    tools: [],
    answers: undefined,
    run: "r",
    model: undefined,
    mark: undefined,
    atMs: 1,
  },
])[0];
const TURN: Turn = { ...(told?.sort === "turn" ? told.turn : ({} as Turn)), state: "running" };
const chat = (payload: object) => ({ type: "event" as const, event: "chat", payload: { runId: "r", ...payload } });

test("a captured turn grows while it is said and is left to what was recorded once it ended", () => {
  let hearing = NOTHING;
  const grown: string[] = [];
  for (const event of events("tool-call-turn")) {
    hearing = heard(hearing, event);
    const text = [...hearing.texts.values()][0];
    if (text !== undefined && text !== grown.at(-1)) grown.push(text);
  }
  expect(grown[0]).toBe("I");
  expect(grown.at(-1)).toBe("I wrote and read note.txt.");
  expect(hearing.texts.size).toBe(0);
});

test("what is missed is made good by the next piece where the gateway says all of it", () => {
  const whole = { role: "assistant", content: [{ type: "text", text: "one two" }] };
  const hearing = heard(NOTHING, chat({ state: "delta", deltaText: " two", message: whole }));
  expect(hearing.texts.get("r")).toBe("one two");
});

test("without that it is added, or replaced when the gateway says so", () => {
  let hearing = heard(NOTHING, chat({ state: "delta", deltaText: "a" }));
  hearing = heard(hearing, chat({ state: "delta", deltaText: "b" }));
  expect(hearing.texts.get("r")).toBe("ab");
  hearing = heard(hearing, chat({ state: "delta", deltaText: "c", replace: true }));
  expect(hearing.texts.get("r")).toBe("c");
});

test("it says what a turn is busy with before it says anything", () => {
  expect(heard(NOTHING, chat({ state: "status", phase: "starting_model" })).phase).toBe("starting_model");
});

test("only what is said or done in a session is about it", () => {
  const sessions = new Set(events("tool-call-turn").map(sessionOf));
  expect([...sessions].filter(Boolean)).toHaveLength(1);
  expect(sessionOf({ type: "event", event: "health", payload: { sessionKey: "k" } })).toBeUndefined();
});

test("a turn that ended is not changed by what was heard of it", () => {
  const hearing = heard(NOTHING, chat({ state: "delta", deltaText: "new" }));
  expect(withHeard({ ...TURN, text: "old" }, hearing).text).toBe("new");
  expect(withHeard({ ...TURN, text: "old", state: "final" }, hearing).text).toBe("old");
});

test("what stands in the transcript is not said twice", () => {
  const parts: Turn["parts"] = [
    { type: "text", text: "I look." },
    { type: "tool", call: "t" },
  ];
  expect(tailOf({ ...TURN, parts, text: "I look." })).toBe("");
  expect(tailOf({ ...TURN, parts, text: "I look. It is" })).toBe(" It is");
  expect(tailOf({ ...TURN, parts, text: "It is there." })).toBe("It is there.");
  const all: Turn["parts"] = [...parts, { type: "text", text: "It is there." }];
  expect(tailOf({ ...TURN, parts: all, text: "It is there." })).toBe("");
  expect(tailOf({ ...TURN, parts: [], text: "all" })).toBe("all");
});
