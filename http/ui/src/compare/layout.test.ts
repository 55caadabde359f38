import { expect, test } from "vitest";
import { windowOf } from "./layout";

test.each([
  ["split", 4, 0, 1000, { first: 0, count: 3, perRow: 3, rows: 1 }],
  ["split", 2, 1, 1232, { first: 0, count: 2, perRow: 2, rows: 1 }],
  ["split", 4, 3, 1000, { first: 1, count: 3, perRow: 3, rows: 1 }],
  ["split", 8, 5, 390, { first: 5, count: 1, perRow: 1, rows: 1 }],
  ["grid", 4, 0, 1232, { first: 0, count: 4, perRow: 2, rows: 2 }],
  ["grid", 8, 7, 1900, { first: 0, count: 8, perRow: 4, rows: 2 }],
  ["grid", 10, 9, 1300, { first: 4, count: 6, perRow: 3, rows: 2 }],
  ["grid", 1, 0, 1300, { first: 0, count: 1, perRow: 1, rows: 1 }],
  ["focus", 8, 6, 1900, { first: 6, count: 1, perRow: 1, rows: 1 }],
] as const)("%s of %i attempts around %i at %i px", (layout, total, at, width, window) => {
  expect(windowOf(layout, total, at, width)).toEqual(window);
});

test("a run without attempts shows none", () => {
  expect(windowOf("split", 0, 0, 1000).count).toBe(0);
});
