import { beforeEach, expect, test, vi } from "vitest";
import { setTitle, setWaiting } from "./title";

beforeEach(() => vi.stubGlobal("document", { title: "" }));

test("how many wait stands before whatever page is shown, and goes with the last of them", () => {
  setTitle("Runs · Regatta");
  expect(document.title).toBe("Runs · Regatta");
  setWaiting(2);
  expect(document.title).toBe("(2) Runs · Regatta");
  setTitle("Approvals · Regatta");
  expect(document.title).toBe("(2) Approvals · Regatta");
  setWaiting(0);
  expect(document.title).toBe("Approvals · Regatta");
});
