import { expect, test } from "vitest";
import { wordsOf } from "./reveal-notice";

const claude = { slot: "a", agent: "claude", command: null, model: "opus" };
const script = { slot: "b", agent: "command", command: "true sparrow.sh; exit 1", model: null };

for (const [winner, said] of [
  ["a", "You picked B: B was A: claude · opus."],
  ["b", "You picked B: B was B: sparrow.sh."],
  ["c", "You picked B: B was C."],
] as const) {
  test(said, () => expect(wordsOf({ name: "B", revealed: { winner, attempts: [claude, script] } })).toBe(said));
}
