import { expect, test } from "vitest";
import { filterOf, isNarrow, paramsOf, toggled } from "./filter";

test("a filter is read from the address and asked of the server as it stands there", () => {
  const filter = filterOf({ kind: "run,attempt.started", actor: "user:ana", text: "won" });
  expect(filter.kinds).toEqual(["run", "attempt.started"]);
  expect(paramsOf(filter)).toEqual({
    kind: "run,attempt.started",
    actor: "user:ana",
    text: "won",
    run: "",
    attempt: "",
  });
});

test("a run's own page is not narrow by its run", () => {
  expect(isNarrow(filterOf({}, "7q2k9x0m"), "7q2k9x0m")).toBe(false);
  expect(isNarrow(filterOf({ run: "7q2k9x0m" }))).toBe(true);
  expect(isNarrow(filterOf({ attempt: "7q2k9x0m.a" }, "7q2k9x0m"), "7q2k9x0m")).toBe(true);
});

test("a family is put in and taken out", () => {
  expect(toggled([], "run")).toEqual(["run"]);
  expect(toggled(["run", "user"], "run")).toEqual(["user"]);
});
