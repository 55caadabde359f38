import { expect, test } from "vitest";
import { blindSwitch, readState, writeState } from "./state";

test("the address says everything, and says nothing about what is as usual", () => {
  const plain = Object.values(writeState(readState({}))).filter((value) => value !== undefined);
  expect(plain).toEqual([]);
  const search = { view: "diff", layout: "grid", at: "b", blind: "1", path: "x.js", take: "a.0.x.js" };
  const written = writeState(readState(search));
  expect(Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined))).toEqual(search);
});

test("what no page writes is as if it were not there", () => {
  expect(readState({ view: "nonsense", layout: "?", blind: "yes" })).toMatchObject({
    body: undefined,
    layout: "split",
    isBlind: false,
  });
});

test("a blind comparison begins with the diff, because output says who printed it", () => {
  expect(blindSwitch(readState({ at: "b", take: "a.0.x" }), "output")).toEqual({
    isBlind: true,
    at: undefined,
    from: undefined,
    to: undefined,
    chosen: [],
    body: "diff",
  });
  expect(blindSwitch(readState({ view: "checks" }), "checks").body).toBe("checks");
  expect(blindSwitch(readState({ blind: "1", view: "diff" }), "diff")).toMatchObject({ isBlind: false, body: "diff" });
});
