import { expect, test } from "vitest";
import { captured } from "./captured";
import { readFrame } from "./frames";
import { CALLS_MAX, type Effect, type Line, NEW, type Step, step } from "./line";

const CHALLENGE = `{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}`;
const HELLO = `{"type":"res","id":"hello","ok":true,"payload":{"type":"hello-ok","protocol":4,"server":{},"features":{}}}`;
const WANT = { method: "sessions.subscribe", params: {} };

/** Takes one step after the other; what was done by all of them. */
function run(line: Line, ...steps: Step[]): [Line, Effect[]] {
  return steps.reduce<[Line, Effect[]]>(
    ([before, done], next) => {
      const [after, effects] = step(before, next);
      return [after, [...done, ...effects]];
    },
    [line, []],
  );
}

function hears(text: string): Step {
  const frame = readFrame(text);
  if (!frame) throw new Error(`no frame: ${text}`);
  return { in: "heard", frame };
}

const sent = (effects: Effect[]) =>
  effects.flatMap((effect) => (effect.out === "send" ? [JSON.parse(effect.text)] : []));
const open = (line = NEW) => run(line, { in: "opened" }, hears(CHALLENGE), hears(HELLO))[0];
const call = (id: string): Step => ({ in: "call", id, method: "health", params: {} });
const answers = (id: string): Step => hears(`{"type":"res","id":"${id}","ok":true,"payload":"${id}"}`);

test("it asks to be let in when it is challenged, and everything is read anew once it is in", () => {
  const [line, effects] = run(NEW, { in: "opened" }, hears(CHALLENGE), hears(HELLO));
  expect(sent(effects)).toMatchObject([{ method: "connect", id: "hello" }]);
  expect(effects.at(-1)).toEqual({ out: "anew" });
  expect(line).toMatchObject({ phase: "open", trouble: undefined });
});

test("answers come in any order, each to its call, and only once", () => {
  const [, effects] = run(open(), call("a"), call("b"), answers("b"), answers("a"), answers("a"), answers("x"));
  expect(effects.filter((effect) => effect.out === "settle").map((effect) => effect.id)).toEqual(["b", "a"]);
});

test("a call without a connection is not sent, and one whose connection is lost may have been done", () => {
  const [, early] = run(NEW, call("a"));
  expect(early).toMatchObject([{ out: "refuse", refusal: { details: { code: "REGATTA_NOT_CONNECTED" } } }]);
  const [line, late] = run(open(), call("a"), { in: "closed", code: 1012, reason: "gateway lost: restart" });
  expect(late.find((effect) => effect.out === "refuse")).toMatchObject({
    refusal: { details: { code: "REGATTA_LOST" } },
  });
  expect(line.calls.size).toBe(0);
});

test("there are only so many calls at once", () => {
  const many = Array.from({ length: CALLS_MAX + 1 }, (_, at) => call(`c${at}`));
  const [line, effects] = run(open(), ...many);
  expect(line.calls.size).toBe(CALLS_MAX);
  expect(effects.at(-1)).toMatchObject({ out: "refuse", refusal: { details: { code: "REGATTA_BUSY" } } });
});

test("what was subscribed to is asked for at each connection anew, and what is new at once", () => {
  const [wanting] = run(NEW, { in: "wants", wants: [WANT] });
  const [, first] = run(wanting, { in: "opened" }, hears(CHALLENGE), hears(HELLO));
  expect(sent(first).map((frame) => frame.method)).toEqual(["connect", "sessions.subscribe"]);
  const [lost] = run(open(wanting), { in: "closed", code: 1012, reason: "events lost" });
  const [again, second] = run(lost, { in: "opened" }, hears(CHALLENGE), hears(HELLO));
  expect(sent(second).map((frame) => frame.method)).toEqual(["connect", "sessions.subscribe"]);
  const other = { method: "sessions.messages.subscribe", params: { key: "k" } };
  const [, third] = run(again, { in: "wants", wants: [WANT, other] });
  expect(sent(third)).toMatchObject([other]);
});

test("it tries again later and later, and from the beginning once it was in", () => {
  const waits: number[] = [];
  let line = NEW;
  for (let tries = 0; tries < 9; tries += 1) {
    const [next, effects] = run(line, { in: "closed", code: 1006, reason: "" });
    line = next;
    for (const effect of effects) if (effect.out === "retry") waits.push(effect.inMs);
  }
  expect(waits.slice(0, 3)).toEqual([1_000, 1_500, 2_250]);
  expect(waits.at(-1)).toBe(10_000);
  expect(run(open(line), { in: "closed", code: 1006, reason: "" })[1]).toEqual([{ out: "retry", inMs: 1_000 }]);
});

test("it never tries again where that would be in vain", () => {
  for (const [code, reason, phase] of [
    [1008, "not signed in", "stopped"],
    [1002, "protocol mismatch", "stopped"],
    [1008, "slow consumer", "waiting"],
    [1013, "gateway away: refused", "waiting"],
  ] as const) {
    expect(run(open(), { in: "closed", code, reason })[0].phase, reason).toBe(phase);
  }
});

test("why a gateway is away is said in its own words", () => {
  const refused = `{"type":"res","id":"hello","ok":false,"error":{"code":"UNAVAILABLE","message":"away","details":{"code":"REGATTA_NOT_CONNECTED","reason":"pairing is required","advice":"approve it"}}}`;
  const [line] = run(NEW, hears(CHALLENGE), hears(refused), { in: "closed", code: 1013, reason: "gateway away" });
  expect(line.trouble).toBe("pairing is required; approve it");
});

test("a captured turn is told event by event, in order", () => {
  const frames = captured("tool-call-turn").map(hears);
  const [, effects] = run(open(), ...frames);
  const told = effects.flatMap((effect) => (effect.out === "tell" ? [effect.event] : []));
  expect(told.length).toBeGreaterThan(20);
  expect(told.at(-1)).toMatchObject({ event: "chat", payload: { state: "final" } });
});
