// A rule as it is typed, and what it says when it is whole. Pure.
import type { Approval, Rule } from "@/api/types";

export type RuleDraft = {
  name: string;
  answer: Rule["answer"];
  reason: string;
  command: string;
  cwd: string;
  agent: string;
  gateway: string;
  run: string;
};

export const EMPTY: RuleDraft = {
  name: "",
  answer: "allow",
  reason: "",
  command: "",
  cwd: "",
  agent: "",
  gateway: "",
  run: "",
};

/** What a rule that answers a question like this would say: of an attempt's, anywhere in its run. */
export function draftOf({ question, gateway, attempt }: Approval): RuleDraft {
  const where = attempt ? { run: attempt.split(".")[0] ?? "" } : { cwd: question.cwd ?? "" };
  return { ...EMPTY, command: question.command, agent: question.agent ?? "", gateway, ...where };
}

/** Which questions it is about; fields that are empty name nothing. */
export function scopeOf({ command, cwd, agent, gateway, run }: RuleDraft): Rule["scope"] {
  const named = Object.entries({ command, cwd, agent, gateway, run }).map(([field, text]) => [field, text.trim()]);
  return Object.fromEntries(named.filter(([, text]) => text !== ""));
}

export function ruleOf(draft: RuleDraft): Rule {
  return { name: draft.name.trim(), answer: draft.answer, scope: scopeOf(draft), reason: draft.reason.trim() };
}

/** Whether nothing it needs is missing. */
export function isWhole(draft: RuleDraft): boolean {
  return draft.name.trim() !== "" && draft.reason.trim() !== "" && Object.keys(scopeOf(draft)).length > 0;
}
