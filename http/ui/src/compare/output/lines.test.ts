import { expect, test } from "vitest";
import type { Piece } from "@/api/types";
import { cleaned, LINE_CHARS_MAX, LineReader, styleAfter } from "./lines";

const ESC = "\u001b";

function piece(text: string, more: Partial<Piece> = {}): Piece {
  return { epoch: 1, phase: "agent", channel: "out", offset: 0, stream_seq: 1, seq: 1, text, ...more };
}

function lines(...pieces: Piece[]): string[] {
  const reader = new LineReader();
  for (const one of pieces) reader.read(one);
  return reader.lines.map((line) => (line.mark ? `[${line.mark}]` : line.text));
}

test("a line goes on from piece to piece", () => {
  expect(lines(piece("one\ntw"), piece("o\nthree"))).toEqual(["[agent]", "one", "two", "three"]);
});

test("empty lines stay", () => {
  expect(lines(piece("a\n\nb\n"))).toEqual(["[agent]", "a", "", "b"]);
});

test("what began is marked", () => {
  expect(
    lines(
      piece("s\n", { phase: "setup" }),
      piece("a"),
      piece("t\n", { phase: { check: 0 } }),
      piece("x", { epoch: 2 }),
    ),
  ).toEqual(["[setup]", "s", "[agent]", "a", "[check 0]", "t", "[start 2, agent]", "x"]);
});

test("a character that was cut between two pieces is whole again", () => {
  const bytes = (text: string) => btoa(text);
  expect(
    lines(
      piece("", { text: undefined, base64: bytes("\xe2\x82") }),
      piece("", { text: undefined, base64: bytes("\xac!") }),
    ),
  ).toEqual(["[agent]", "€!"]);
});

test("a progress line shows its last state, also when it comes in parts", () => {
  expect(lines(piece("10%\r"), piece("50%\r100%\r\ndone"))).toEqual(["[agent]", "100%", "done"]);
});

test("colours stay and go on, what moves a cursor goes", () => {
  const reader = new LineReader();
  reader.read(piece(`${ESC}[2K${ESC}[1G${ESC}[31mred\nstill${ESC}[0m\nplain ${ESC}]0;title\u0007end`));
  expect(reader.lines.map((line) => [line.style, line.text])).toEqual([
    ["", ""],
    ["", `${ESC}[31mred`],
    [`${ESC}[31m`, `still${ESC}[0m`],
    ["", "plain end"],
  ]);
});

test("a style is what was said since the last reset", () => {
  expect(styleAfter("", `${ESC}[1m${ESC}[31mx`)).toBe(`${ESC}[1m${ESC}[31m`);
  expect(styleAfter(`${ESC}[1m`, `${ESC}[m`)).toBe("");
  expect(styleAfter(`${ESC}[1m`, `${ESC}[0;32m`)).toBe(`${ESC}[0;32m`);
});

test("a line that never ends is cut and says so", () => {
  const [, line] = lines(piece("x".repeat(LINE_CHARS_MAX + 5)));
  expect(line?.endsWith("… 5 more characters")).toBe(true);
});

test("HTML is text like any other", () => {
  expect(cleaned("<script>alert(1)</script>")).toBe("<script>alert(1)</script>");
});

test("what an agent said in JSON is shown as remarks, each line by itself and of its sort", () => {
  const reader = new LineReader();
  reader.read(
    piece("", {
      text: undefined,
      words: [
        { sort: "session", text: "opus" },
        { sort: "text", text: "one\ntwo" },
        { sort: "tool", text: "Bash: make" },
        { sort: "finished", text: "" },
      ],
    }),
  );
  expect(reader.lines.slice(1).map((line) => [line.remark, line.text])).toEqual([
    ["session", "session: opus"],
    ["text", "one"],
    ["text", "two"],
    ["tool", "▸ Bash: make"],
    ["finished", "■ says it is done"],
  ]);
});

test("the last that an agent said stands before what the check after it printed", () => {
  const words = [{ sort: "failed" as const, text: "no key" }];
  expect(lines(piece("", { text: undefined }), piece("t\n", { phase: { check: 0 }, words }))).toEqual([
    "[agent]",
    "✗ says it failed",
    "no key",
    "[check 0]",
    "t",
  ]);
});

test.each([
  ["remarks", [piece("", { words: [{ sort: "text", text: "a\nb" }] }), piece(""), piece("c"), piece("d\n")]],
  ["whole lines", [piece("a\n"), piece("b\n"), piece("c\n"), piece("d\n")]],
  ["a line in parts", [piece("a"), piece("b"), piece("c\n"), piece("d")]],
  ["one line without an end", [piece("a"), piece("b"), piece("c"), piece("d")]],
  ["colours that go on", [piece(`${ESC}[31ma\n`), piece("b\n"), piece("c\n"), piece(`${ESC}[0md\n`), piece("e\n")]],
  [
    "a character in two halves",
    [piece("", { base64: btoa("\xe2\x82") }), piece("", { base64: btoa("\xac\n") }), piece("b\n")],
  ],
  ["another command", [piece("s\n", { phase: "setup" }), piece("a\n"), piece("b\n", { phase: { check: 0 } })]],
  ["another start", [piece("a\n"), piece("b\n", { epoch: 2 }), piece("c\n", { epoch: 2 })]],
] as const)("what is put before reads as if all had been read at once: %s", (_, pieces) => {
  const more = piece("more\nand more");
  for (let cut = 1; cut < pieces.length; cut += 1) {
    const whole = new LineReader();
    for (const one of [...pieces, more]) whole.read(one);
    const reader = new LineReader();
    for (const one of pieces.slice(cut)) reader.read(one);
    reader.putBefore(pieces.slice(0, cut), pieces.slice(cut));
    reader.read(more);
    expect(reader.lines).toEqual(whole.lines);
  }
});
