import { expect, test } from "vitest";
import type { Comparison } from "@/api/types";
import { namesIn } from "./slot-name";

const comparison = (blind: boolean, slots: string[]) =>
  ({ blind, columns: slots.map((slot) => ({ slot })) }) as unknown as Comparison;

test("attempts are called by their letter", () => {
  expect(namesIn(comparison(false, ["a", "b"]))("b")).toBe("B");
});

test("in a blind comparison they are called by where they stand", () => {
  const name = namesIn(comparison(true, ["c", "a", "b"]));
  expect(["a", "b", "c", "z"].map(name)).toEqual(["B", "C", "A", "?"]);
});
