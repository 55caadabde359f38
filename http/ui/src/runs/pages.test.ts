import { expect, test } from "vitest";
import type { RunPage, RunRow } from "@/api/types";
import { freshened, olderThan, type Pages, replaced } from "./pages";

const row = (seq: number, title = "") => ({ id: `run${seq}`, requested_seq: seq, title }) as RunRow;
const page = (seqs: number[], next: number | null = null): RunPage => ({ rows: seqs.map((seq) => row(seq)), next });
const pages = (...all: RunPage[]): Pages => ({ pages: all, pageParams: all.map(() => undefined) });
const seqs = (held: Pages) => held.pages.map(({ rows }) => rows.map(({ requested_seq }) => requested_seq));

test.each([
  [
    "nothing new",
    pages(page([9, 8], 8), page([7, 6])),
    page([9, 8], 8),
    [
      [9, 8],
      [7, 6],
    ],
  ],
  [
    "a new run",
    pages(page([9, 8], 8), page([7, 6])),
    page([10, 9], 9),
    [
      [10, 9, 8],
      [7, 6],
    ],
  ],
  ["one that the filter no longer shows", pages(page([9, 8, 7], 7), page([6])), page([9, 7], 7), [[9, 7], [6]]],
  [
    "one that left makes room for one of the page before",
    pages(page([9, 8], 8), page([7, 6])),
    page([9, 7], 7),
    [[9, 7], [6]],
  ],
  ["more new ones than a page holds", pages(page([9, 8], 8), page([7])), page([30, 29], 29), [[30, 29]]],
  ["nothing is shown any more", pages(page([9, 8])), page([]), [[]]],
  ["the first run of all", pages(page([])), page([1]), [[1]]],
] as const)("%s", (_, held, newest, expected) => {
  expect(seqs(freshened(held, newest))).toEqual(expected);
});

test("a run of an older page is replaced where it stands", () => {
  const held = pages(page([9, 8], 8), page([7, 6]));
  expect([...olderThan(held, page([9, 8], 8))]).toEqual(["run7", "run6"]);
  expect(replaced(held, row(7, "moved")).pages[1]?.rows[0]?.title).toBe("moved");
});
