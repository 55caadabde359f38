import { expect, test } from "vitest";
import { answer } from "@/door/captured";
import { sessionsOf } from "@/gateways/answers";
import { changes, draftOf } from "./patch";
import { type Session, shown, shownOf } from "./rows";

const all: Session[] = sessionsOf(answer("sessions.list")).rows.map((row, at) => ({
  ...row,
  gateway: at === 0 ? "attic" : "main",
  label: ["b", "a", "c"][at],
  costUsd: [undefined, 2, 1][at],
  isActive: at === 2,
}));
const names = (query: Record<string, string>) => shown(all, shownOf(query)).map((session) => session.label);

test("the latest come first, and any column sorts both ways", () => {
  expect(names({ sort: "session-up" })).toEqual(["a", "b", "c"]);
  expect(names({ sort: "session-down" })).toEqual(["c", "b", "a"]);
  expect(names({ sort: "cost-down" })).toEqual(["a", "c", "b"]);
  expect(shownOf({ sort: "nonsense" })).toMatchObject({ by: "updated", isUp: false });
});

test("they are found by gateway, by state and by what somebody remembers", () => {
  expect(names({ gateway: "attic" })).toEqual(["b"]);
  expect(names({ state: "busy" })).toEqual(["c"]);
  expect(names({ state: "idle", sort: "session-up" })).toEqual(["a", "b"]);
  expect(names({ text: "STUB-1" })).toHaveLength(3);
  expect(names({ text: "no such" })).toEqual([]);
});

test("what is pinned stands first whatever is sorted by", () => {
  const pinned = all.map((session) => ({ ...session, isPinned: session.label === "c" }));
  expect(shown(pinned, shownOf({ sort: "session-up" })).map((session) => session.label)).toEqual(["c", "a", "b"]);
});

test("only what was changed is sent, and what was emptied is cleared", () => {
  const [session] = all;
  if (!session) throw new Error("no session");
  const draft = draftOf(session);
  expect(changes(session, draft)).toEqual({});
  expect(changes(session, { ...draft, label: " ", thinking: "high" })).toEqual({ label: null, thinkingLevel: "high" });
});
