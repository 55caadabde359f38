import { expect, test } from "vitest";
import { nextStop, rest } from "./steps";

test("a replay rests as long as it took, divided by its speed", () => {
  expect(rest(0, 500_000, 1)).toBe(500);
  expect(rest(0, 500_000, 2)).toBe(250);
  expect(rest(0, 500_000, 0.5)).toBe(1_000);
});

test("neither a burst nor a night blocks a replay, nor a clock that jumped back", () => {
  expect(rest(0, 10, 1)).toBe(60);
  expect(rest(0, 3_600_000_000, 10)).toBe(2_000);
  expect(rest(1_000_000, 0, 1)).toBe(60);
});

test("what is printed between two events is shown on the way, in steps that never go past the next event", () => {
  const next = { seq: 110, at_us: 2_000_000 };
  expect(nextStop(10, 0, next, 1)).toEqual({ seq: 30, afterMs: 400 });
  expect(nextStop(108, 0, next, 1)).toEqual({ seq: 109, afterMs: 400 });
  expect(nextStop(109, 0, next, 1)).toEqual({ seq: 110, afterMs: 2_000 });
  expect(nextStop(10, 1_900_000, next, 1)).toEqual({ seq: 110, afterMs: 100 });
});
