import { expect, test } from "vitest";
import type { Piece, PiecesPage } from "@/api/types";
import { LINES_MAX, OutputWindow } from "./window";

function piece(streamSeq: number, lines = 1): Piece {
  const text = Array.from({ length: lines }, (_, line) => `${streamSeq}.${line}\n`).join("");
  return { epoch: 1, phase: "agent", channel: "out", offset: 0, stream_seq: streamSeq, seq: streamSeq, text };
}

/** A server whose attempt printed `total` pieces of `lines` lines. */
function server(total: () => number, lines = 1) {
  return async (params: Record<string, number | undefined>): Promise<PiecesPage> => {
    const limit = params.limit ?? 1;
    const end = total();
    const first = params.after !== undefined ? params.after + 1 : Math.max(1, (params.before ?? end + 1) - limit);
    const last = params.after !== undefined ? Math.min(end, params.after + limit) : (params.before ?? end + 1) - 1;
    const pieces = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => piece(first + index, lines));
    return { pieces, is_start: first === 1, is_end: last === end };
  };
}

const printed = (output: OutputWindow) =>
  output
    .snapshot()
    .lines.filter((line) => !line.mark)
    .map((line) => line.text);

test("the end comes first, and goes on live without a gap or a line twice", async () => {
  const output = new OutputWindow(server(() => 3));
  output.take(piece(3));
  output.take(piece(4));
  await output.toEnd();
  output.take(piece(5));
  expect(printed(output)).toEqual(["1.0", "2.0", "3.0", "4.0", "5.0"]);
});

test("what comes in words is read, and never shown as it was printed", async () => {
  let total = 1;
  const output = new OutputWindow(
    server(() => total),
    undefined,
    true,
  );
  await output.toEnd();
  total = 3;
  const asPrinted = (streamSeq: number) => ({ ...piece(streamSeq), text: '{"type":"assistant"}\n' });
  output.take(asPrinted(2));
  output.take(asPrinted(3));
  await output.later();
  expect(printed(output)).toEqual(["1.0", "2.0", "3.0"]);
});

test("what was missed is read", async () => {
  let total = 2;
  const output = new OutputWindow(server(() => total));
  await output.toEnd();
  total = 6;
  output.take(piece(6));
  await new Promise((resolve) => setTimeout(resolve));
  expect(printed(output)).toEqual(["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]);
  expect(output.snapshot().isEnd).toBe(true);
});

test("earlier pages come before, and whoever reads can keep the place", async () => {
  const output = new OutputWindow(server(() => 2_200));
  await output.toEnd();
  expect(output.snapshot().isStart).toBe(false);
  await output.earlier();
  expect(output.snapshot()).toMatchObject({ isStart: false, prepended: 1_000 });
  await output.earlier();
  expect(output.snapshot().isStart).toBe(true);
  expect(printed(output)).toHaveLength(2_200);
});

test("never more than the bound is held, whichever way one goes", async () => {
  const output = new OutputWindow(server(() => 10_000, 10));
  await output.toEnd();
  for (let page = 0; page < 10; page += 1) await output.earlier();
  expect(output.snapshot()).toMatchObject({ isStart: true, isEnd: false });
  expect(output.snapshot().lines.length).toBeLessThanOrEqual(LINES_MAX + 14_000);
  for (let page = 0; page < 12; page += 1) await output.later();
  expect(printed(output).at(-1)).toBe("10000.9");
  expect(output.snapshot().lines.length).toBeLessThanOrEqual(LINES_MAX + 14_000);
});

test("a failure is told and can be tried again", async () => {
  let isDown = true;
  const up = server(() => 1);
  const output = new OutputWindow(async (params) => {
    if (isDown) throw new Error("down");
    return up(params);
  });
  await output.toEnd();
  expect(output.snapshot().error).toBeInstanceOf(Error);
  isDown = false;
  await output.toEnd();
  expect(printed(output)).toEqual(["1.0"]);
});
