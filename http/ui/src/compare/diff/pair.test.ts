import { expect, test } from "vitest";
import { pairOf, swapped, withFrom, withTo } from "./pair";

const [abc, none] = [["a", "b", "c"], undefined];

test.each([
  ["nobody chose", abc, {}, "a b"],
  ["a later one is in focus", abc, { at: "c" }, "a c"],
  ["the first is in focus", abc, { at: "a" }, "a b"],
  ["both are chosen", abc, { from: "c", to: "a" }, "c a"],
  ["one side is chosen", abc, { from: "b" }, "b a"],
  ["one side is chosen, another is in focus", abc, { from: "b", at: "c" }, "b c"],
  ["the other side is chosen", abc, { to: "a" }, "b a"],
  ["an address has the same on both sides", abc, { from: "b", to: "b" }, "b a"],
  ["what is asked for is not there", abc, { from: "x", to: "y" }, "a b"],
  ["there is one", ["a"], {}, none],
  ["there is none", [], { from: "a", to: "b" }, none],
])("when %s", (_, slots, wanted, expected) => {
  const pair = pairOf(slots, { from: none, to: none, at: none, ...wanted });
  expect(pair && `${pair.from} ${pair.to}`).toBe(expected);
});

test("what stands on the other side already changes places", () => {
  const pair = { from: "a", to: "b" };
  expect(withFrom(pair, "b")).toEqual(swapped(pair));
  expect(withTo(pair, "a")).toEqual(swapped(pair));
  expect(withFrom(pair, "c")).toEqual({ from: "c", to: "b" });
  expect(withTo(pair, "c")).toEqual({ from: "a", to: "c" });
});
