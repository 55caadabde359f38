import { expect, test } from "vitest";
import type { Comparison } from "@/api/types";
import { fromAddress, namesIn, toAddress } from "./slot-name";

const comparison = (blind: boolean, slots: string[]) =>
  ({ blind, columns: slots.map((slot) => ({ slot })) }) as unknown as Comparison;

test("attempts are called by their letter", () => {
  expect(namesIn(comparison(false, ["a", "b"]))("b")).toBe("B");
});

test("in a blind comparison they are called by where they stand", () => {
  const name = namesIn(comparison(true, ["c", "a", "b"]));
  expect(["a", "b", "c", "z"].map(name)).toEqual(["B", "C", "A", "?"]);
  const many = Array.from({ length: 28 }, (_, place) => `s${place}`);
  expect(["s25", "s26", "s27"].map(namesIn(comparison(true, many)))).toEqual(["Z", "AA", "AB"]);
});

test("the address of a blind comparison holds places, and means the same attempts", () => {
  const blind = comparison(true, ["c", "a", "b"]);
  const change = { at: "c", from: "a", to: "b", chosen: [{ slot: "b", path: "x", hunk: 0 }] };
  const written = toAddress(change, blind);
  expect(written).toEqual({ at: "a", from: "b", to: "c", chosen: [{ slot: "c", path: "x", hunk: 0 }] });
  expect(fromAddress(written, blind)).toEqual(change);
  expect(fromAddress({ at: "q", chosen: [{ slot: "q", path: "x", hunk: 0 }] }, blind)).toEqual({ chosen: [] });
  expect(toAddress({ body: "diff" }, blind)).toEqual({ body: "diff" });
});

test("the address of an open comparison holds slots", () => {
  const open = comparison(false, ["a", "b"]);
  expect(toAddress({ at: "b" }, open)).toEqual({ at: "b" });
  expect(fromAddress({ at: "b" }, open)).toEqual({ at: "b" });
});
