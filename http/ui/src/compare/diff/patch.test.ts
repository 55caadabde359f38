import { describe, expect, test } from "vitest";
import { readPatch, unquoted } from "./patch";

const CHANGED = `diff --git a/src/parse.js b/src/parse.js
index 1111111..2222222 100644
--- a/src/parse.js
+++ b/src/parse.js
@@ -3,4 +3,5 @@ export function parse(text) {
 one
-two
+two!
+--- not a header
 three
 four
@@ -20 +21 @@
-last
\\ No newline at end of file
+last
`;

describe("a patch", () => {
  test("is read into hunks with line numbers of both sides", () => {
    const [file] = readPatch(CHANGED);
    expect(file).toMatchObject({ path: "src/parse.js", change: "changed", added: 3, removed: 2 });
    expect(file?.hunks.map((hunk) => [hunk.index, hunk.oldStart, hunk.newStart, hunk.heading])).toEqual([
      [0, 3, 3, "export function parse(text) {"],
      [1, 20, 21, ""],
    ]);
    expect(file?.hunks[0]?.lines.map((line) => [line.kind, line.oldLine, line.newLine])).toEqual([
      ["same", 3, 3],
      ["removed", 4, undefined],
      ["added", undefined, 4],
      ["added", undefined, 5],
      ["same", 5, 6],
      ["same", 6, 7],
    ]);
  });

  test("does not take a line of a file for a header", () => {
    const [file] = readPatch(CHANGED);
    expect(file?.hunks[0]?.lines[3]?.text).toBe("--- not a header");
  });

  test("says where a file ends without a line break", () => {
    const [file] = readPatch(CHANGED);
    expect(file?.hunks[1]?.lines.map((line) => line.endsOpen ?? false)).toEqual([true, false]);
  });

  test("tells new, deleted, renamed and binary files and changed modes apart", () => {
    const files = readPatch(`diff --git a/new file.txt b/new file.txt
new file mode 100644
index 0000000..e69de29
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
index 1..0
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git a/old.txt b/fresh.txt
similarity index 100%
rename from old.txt
rename to fresh.txt
diff --git a/logo.png b/logo.png
index 1..2 100644
GIT binary patch
delta 3
Kc-jA1

diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
`);
    expect(files.map((file) => [file.path, file.change, file.isBinary, file.mode])).toEqual([
      ["new file.txt", "added", false, undefined],
      ["gone.txt", "deleted", false, undefined],
      ["fresh.txt", "renamed", false, undefined],
      ["logo.png", "changed", true, undefined],
      ["run.sh", "changed", false, "100644 → 100755"],
    ]);
  });

  test("may be empty", () => {
    expect(readPatch("")).toEqual([]);
  });

  test.each([
    ['"a/\\303\\244.txt"', "a/ä.txt"],
    ['"a/tab\\there"', "a/tab\there"],
    ['"say \\"hi\\""', 'say "hi"'],
    ["plain.txt", "plain.txt"],
  ])("has paths that git quotes: %s", (quoted, path) => {
    expect(unquoted(quoted)).toBe(path);
  });
});
