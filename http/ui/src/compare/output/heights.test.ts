import { expect, test } from "vitest";
import { heightOf, isCertain, LINE_PX } from "./heights";
import type { Line } from "./lines";

const line = (text: string, mark?: string): Line => ({ text, channel: "out", style: "", ...(mark ? { mark } : {}) });

test.each([
  ["short", line("done"), 300, 1, true],
  ["nearly too long: it depends on the type", line("x".repeat(35)), 300, 1, false],
  ["long", line("x".repeat(80)), 300, 3, false],
  ["another script", line("完了"), 300, 1, false],
  ["colours, which take no room", line(`\u001b[32m${"ok".repeat(14)}\u001b[0m`), 300, 1, true],
  ["a tab", line("a\tb"), 300, 1, false],
  ["what began here", line("", "agent"), 300, 1, true],
  ["nothing", line(""), 300, 1, true],
] as const)("%s", (_, shown, width, lines, certain) => {
  expect([heightOf(shown, width), isCertain(shown, width)]).toEqual([lines * LINE_PX, certain]);
});
