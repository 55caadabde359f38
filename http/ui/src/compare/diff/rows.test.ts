import { expect, test } from "vitest";
import { readPatch } from "./patch";
import { fileRows, placeOf, rowNearest, rowsOf } from "./rows";

const patch = (path: string, start: number) => `diff --git a/${path} b/${path}
--- a/${path}
+++ b/${path}
@@ -${start},2 +${start},3 @@
 same
+new
 same
`;

test("files, hunks and lines follow one another", () => {
  const rows = rowsOf(readPatch(patch("a.js", 1)), new Set());
  expect(rows.map((row) => row.kind)).toEqual(["file", "hunk", "line", "line", "line"]);
});

test("a toggled file shows its head alone", () => {
  const rows = rowsOf(readPatch(patch("a.js", 1) + patch("b.js", 1)), new Set(["a.js"]));
  expect(rows.map((row) => [row.kind, row.file.path]).slice(0, 2)).toEqual([
    ["file", "a.js"],
    ["file", "b.js"],
  ]);
});

test("files that tools write are closed at first", () => {
  const rows = rowsOf(readPatch(patch("sub/Cargo.lock", 1)), new Set());
  expect(rows.map((row) => row.kind)).toEqual(["file"]);
});

test("the place of an added line is the line of the base before it", () => {
  const rows = rowsOf(readPatch(patch("a.js", 7)), new Set());
  expect(rows.map(placeOf).map((place) => place.oldLine)).toEqual([0, 7, 7, 7, 8]);
});

test("a neighbour is found by file and line of the base", () => {
  const rows = rowsOf(readPatch(patch("a.js", 1) + patch("b.js", 40)), new Set());
  expect(rowNearest(rows, fileRows(rows), { path: "b.js", oldLine: 38 })).toBe(6);
  expect(rowNearest(rows, fileRows(rows), { path: "c.js", oldLine: 1 })).toBeUndefined();
});
