import { expect, test } from "vitest";
import { seen } from "./unseen";

test("what has text read in another order than it stands is shown by its number", () => {
  const code = 'if access != "user\u202e \u2066// check admin\u2069 \u2066" {';
  expect(seen(code)).toBe('if access != "user‹U+202E› ‹U+2066›// check admin‹U+2069› ‹U+2066›" {');
  expect(seen("ev\u202etxt.exe")).toBe("ev‹U+202E›txt.exe");
});

test("what nobody sees is shown, and a line's own end, tabs and emoji stay", () => {
  expect(seen("x\u200by")).toBe("x‹U+200B›y");
  expect(seen("a\rb\nc")).toBe("a‹U+000D›b\nc");
  for (const plain of ["\tindented\r", "naïve 日本語 שלום", "👩‍👩‍👧"]) expect(seen(plain)).toBe(plain);
});
