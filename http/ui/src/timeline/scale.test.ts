import { expect, test } from "vitest";
import { distance, place, ticks } from "./scale";

test("places are per cent of the line and never beyond it", () => {
  const scale = { startUs: 1_000, endUs: 3_000 };
  expect([place(scale, 1_000), place(scale, 2_000), place(scale, 9_000), place(scale, 0)]).toEqual([0, 50, 100, 0]);
});

test("a line without length has its place all the same", () => {
  expect(place({ startUs: 5, endUs: 5 }, 5)).toBe(0);
});

test("ticks stand at round distances and are not too many", () => {
  expect(ticks({ startUs: 0, endUs: 9_000_000 }, 6)).toEqual([0, 2_000, 4_000, 6_000, 8_000]);
  expect(ticks({ startUs: 0, endUs: 300_000_000_000 }, 6).length).toBeLessThanOrEqual(7);
});

test("distances are said in the unit that fits", () => {
  expect([0, 200, 5_000, 150_000, 7_200_000].map(distance)).toEqual(["0", "200 ms", "5 s", "2:30", "2 h 00"]);
});
