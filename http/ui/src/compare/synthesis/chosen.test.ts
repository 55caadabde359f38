import { expect, test } from "vitest";
import { byFile, CHOSEN_MAX, type ChosenHunk, hunksFromText, textOfHunks, toggled, wireHunks } from "./chosen";

const hunk = (slot: string, path: string, index?: number): ChosenHunk => ({ slot, path, hunk: index });

test("choosing a hunk twice takes it out again", () => {
  const first = toggled([], hunk("a", "x.js", 0));
  expect(first).toEqual([hunk("a", "x.js", 0)]);
  expect(toggled(first, hunk("a", "x.js", 0))).toEqual([]);
});

test("the same place of two attempts is two hunks", () => {
  expect(toggled([hunk("a", "x.js", 0)], hunk("b", "x.js", 0))).toHaveLength(2);
});

test("the choice survives the address, also with commas, dots and percent signs in paths", () => {
  const chosen = [hunk("a", "a,b.c/100%.js", 3), hunk("ab", "ü.txt", 0), hunk("b", "w.0")];
  expect(hunksFromText(textOfHunks(chosen))).toEqual(chosen);
});

test("what is no hunk in an address is left out", () => {
  expect(hunksFromText("a.0.x,nonsense,.1.y,b.x.z")).toEqual([hunk("a", "x", 0)]);
  expect(hunksFromText("a.0.%E0%A4%A")).toEqual([hunk("a", "%E0%A4%A", 0)]);
});

test("the choice is bounded", () => {
  const full = Array.from({ length: CHOSEN_MAX }, (_, index) => hunk("a", "x", index));
  expect(toggled(full, hunk("b", "x", 0))).toHaveLength(CHOSEN_MAX);
});

test("the choice is shown by file, attempts and hunks in order", () => {
  const files = byFile([hunk("b", "z", 0), hunk("b", "a", 1), hunk("a", "a", 2), hunk("a", "a", 0)], (slot) => slot);
  expect(files.map((file) => [file.path, file.hunks.map((one) => `${one.slot}${one.hunk}`)])).toEqual([
    ["a", ["a0", "a2", "b1"]],
    ["z", ["b0"]],
  ]);
});

test("of one file of one attempt either the whole or hunks are chosen", () => {
  const hunks = toggled([hunk("a", "x", 0)], hunk("a", "x", 2));
  expect(toggled([...hunks, hunk("b", "x", 0)], hunk("a", "x"))).toEqual([hunk("b", "x", 0), hunk("a", "x")]);
  expect(toggled([hunk("a", "x")], hunk("a", "x", 1))).toEqual([hunk("a", "x", 1)]);
});

test("the server counts from 1, and a whole file has no number", () => {
  expect(wireHunks([hunk("a", "x", 0), hunk("b", "y")]).map((one) => one.hunk)).toEqual([1, undefined]);
});
