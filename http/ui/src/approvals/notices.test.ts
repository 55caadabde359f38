import { expect, test } from "vitest";
import type { Approval } from "@/api/types";
import { expiring, noticeOf, SOON_MS } from "./notices";

const ask = (id: string, leftMs: number, state: Approval["state"] = "open") =>
  ({ id, state, expires_at_us: (1_000_000 + leftMs) * 1_000 }) as Approval;

test("a question is told of once, when little time is left and nobody answered", () => {
  const open = [
    ask("soon", SOON_MS - 1),
    ask("later", SOON_MS + 1),
    ask("over", -1),
    ask("answered", 1_000, "answering"),
    ask("told", 1_000),
  ];
  expect(expiring(open, 1_000_000, new Set(["told"])).map(({ id }) => id)).toEqual(["soon"]);
});

test("a notice says who waits for how long, and the beginning of what would be run", () => {
  const asked = { ...ask("main.a", 61_000), gateway: "main", question: { agent: "coder", command: "x".repeat(300) } };
  const { title, body } = noticeOf(asked as Approval, 1_000_000);
  expect(title).toBe("coder of main waits 2 min more");
  expect(body).toBe("x".repeat(200));
});
