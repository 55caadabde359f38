import { expect, test } from "vitest";
import type { Approval } from "@/api/types";
import { draftOf, EMPTY, isWhole, ruleOf } from "./rule-draft";

const ask = (attempt: string | null) =>
  ({
    gateway: "ams",
    attempt,
    question: { command: "make all", cwd: "/work/app", agent: "main", argv: [], warnings: [] },
  }) as unknown as Approval;

test("what is empty names nothing", () => {
  const draft = { ...EMPTY, name: " builds ", command: " make * ", reason: " harmless " };
  expect(ruleOf(draft)).toEqual({ name: "builds", answer: "allow", scope: { command: "make *" }, reason: "harmless" });
});

test("a rule needs a name, a reason and something it is about", () => {
  const whole = { ...EMPTY, name: "builds", command: "make *", reason: "harmless" };
  expect(isWhole(whole)).toBe(true);
  for (const field of ["name", "command", "reason"]) expect(isWhole({ ...whole, [field]: " " })).toBe(false);
});

test("a rule made of a question is about its folder, or about the run of its attempt", () => {
  expect(draftOf(ask(null))).toMatchObject({
    command: "make all",
    cwd: "/work/app",
    agent: "main",
    gateway: "ams",
    run: "",
  });
  expect(draftOf(ask("7q2k9x0m.b"))).toMatchObject({ command: "make all", cwd: "", run: "7q2k9x0m" });
});
