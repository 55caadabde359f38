import { expect, test } from "vitest";
import { blocks, given } from "./looks";
import { sessionKey } from "./new-chat";
import { completions, sending } from "./sending";

const GIVEN = {
  text: "hello",
  mode: "say" as const,
  isConnected: true,
  mayCommand: false,
  isBusy: false,
  isEditing: false,
  hasEntry: false,
};

test("a command to the gateway is for those who may give one", () => {
  expect(sending(GIVEN).isReady).toBe(true);
  expect(sending({ ...GIVEN, text: " /config set x" }).isReady).toBe(false);
  expect(sending({ ...GIVEN, text: "/status", mayCommand: true })).toMatchObject({ isReady: true });
  expect(sending({ ...GIVEN, text: "/me waves", mode: "inject" }).isReady).toBe(true);
});

test("nothing is sent where nobody listens, and nothing empty", () => {
  expect(sending({ ...GIVEN, isConnected: false }).isReady).toBe(false);
  expect(sending({ ...GIVEN, text: " \n" }).isReady).toBe(false);
});

test("asking again says whether what came after goes", () => {
  const edited = { ...GIVEN, isEditing: true, hasEntry: true };
  expect(sending(edited).note).toContain("new message");
  expect(sending({ ...edited, mayCommand: true }).note).toContain("forgets");
  expect(sending({ ...edited, mayCommand: true, hasEntry: false }).note).toContain("not known");
  expect(sending({ ...edited, mayCommand: true, hasEntry: false, isBusy: true })).toMatchObject({ isReady: false });
});

test("commands are completed while their first word is typed", () => {
  const commands = ["/status", "/stop", "/model"];
  expect(completions("/st", commands, 5)).toEqual(["/status", "/stop"]);
  expect(completions("/st", commands, 1)).toEqual(["/status"]);
  expect(completions("/status now", commands, 5)).toEqual([]);
  expect(completions("st", commands, 5)).toEqual([]);
});

test("code between fences stands apart, also while it is still being said", () => {
  expect(blocks("look:\n```ts\nlet a\n```\ndone")).toEqual([
    { isCode: false, text: "look:" },
    { isCode: true, text: "let a" },
    { isCode: false, text: "done" },
  ]);
  expect(blocks("```\nhalf")).toEqual([{ isCode: true, text: "half" }]);
});

test("a tool's arguments are read, and shown as they are when they were cut", () => {
  expect(given({ arguments: `{"path":"a","limit":2}` })).toBe("path: a\nlimit: 2");
  expect(given({ arguments: `{"path":"a` })).toBe(`{"path":"a`);
  expect(given({ arguments: null })).toBe("");
});

test("a session's key is made of letters and digits", () => {
  expect(sessionKey("main", " Fix: the Parser! ")).toBe("agent:main:fix-the-parser");
});
