// Reads what `git diff` wrote into files, hunks and lines. Pure. Lines are counted by their hunk's header, so nothing in
// a file's content can be taken for a header.

export type LineKind = "same" | "added" | "removed";

export type DiffLine = {
  kind: LineKind;
  text: string;
  oldLine: number | undefined;
  newLine: number | undefined;
  /** The file ends here without a line break. */
  endsOpen?: boolean;
};

export type Hunk = {
  /** Place among the hunks of its file, from 0: how the server knows it. */
  index: number;
  oldStart: number;
  newStart: number;
  /** What git put behind the numbers: the function it stands in. */
  heading: string;
  lines: DiffLine[];
  added: number;
  removed: number;
};

export type Change = "changed" | "added" | "deleted" | "renamed";

export type FileDiff = {
  path: string;
  oldPath: string | undefined;
  change: Change;
  isBinary: boolean;
  /** `100644 → 100755`, when the mode changed. */
  mode: string | undefined;
  hunks: Hunk[];
  added: number;
  removed: number;
};

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/** Undoes git's quoting of unusual paths: `"a/\303\244"`. */
export function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"')) return text;
  const escapes: Record<string, number> = { n: 10, t: 9, r: 13, a: 7, b: 8, v: 11, f: 12, '"': 34, "\\": 92 };
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (const [, octal, letter, plain] of text.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/gsu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (letter !== undefined) bytes.push(escapes[letter] ?? letter.charCodeAt(0));
    else if (plain !== undefined) bytes.push(...encoder.encode(plain));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** The path behind `--- ` or `+++ `; nothing for /dev/null. */
function sidePath(text: string): string | undefined {
  const path = unquoted(text.endsWith("\t") ? text.slice(0, -1) : text);
  return path === "/dev/null" ? undefined : path.slice(2);
}

/** The path of `diff --git a/x b/x`, where both halves say the same; the only place where a binary file's stands. */
function pathOfGitLine(line: string): string {
  const rest = line.slice("diff --git ".length);
  if (rest.startsWith('"')) return unquoted(rest.slice(0, rest.indexOf('" ') + 1)).slice(2);
  return rest.slice(rest.length / 2 + 0.5).slice(2);
}

function emptyFile(path: string): FileDiff {
  return {
    path,
    oldPath: undefined,
    change: "changed",
    isBinary: false,
    mode: undefined,
    hunks: [],
    added: 0,
    removed: 0,
  };
}

class Reader {
  private at = 0;
  private readonly lines: string[];

  constructor(patch: string) {
    this.lines = patch.split("\n");
    if (this.lines.at(-1) === "") this.lines.pop();
  }

  read(): FileDiff[] {
    const files: FileDiff[] = [];
    while (this.at < this.lines.length) {
      const line = this.lines[this.at] ?? "";
      this.at += 1;
      if (line.startsWith("diff --git ")) files.push(this.file(line));
    }
    return files;
  }

  private file(gitLine: string): FileDiff {
    const file = emptyFile(pathOfGitLine(gitLine));
    let oldMode: string | undefined;
    while (this.at < this.lines.length) {
      const line = this.lines[this.at] ?? "";
      if (line.startsWith("diff --git ")) break;
      this.at += 1;
      if (line.startsWith("@@ ")) this.hunk(line, file);
      else if (line.startsWith("old mode ")) oldMode = line.slice(9);
      else if (line.startsWith("new mode ")) file.mode = `${oldMode ?? "?"} → ${line.slice(9)}`;
      else header(line, file);
    }
    return file;
  }

  private hunk(headerLine: string, file: FileDiff): void {
    const [, oldStart = "0", oldCount = "1", newStart = "0", newCount = "1", heading = ""] =
      HUNK.exec(headerLine) ?? [];
    const hunk: Hunk = {
      index: file.hunks.length,
      oldStart: Number(oldStart),
      newStart: Number(newStart),
      heading,
      lines: [],
      added: 0,
      removed: 0,
    };
    let oldLeft = Number(oldCount);
    let newLeft = Number(newCount);
    let oldLine = hunk.oldStart;
    let newLine = hunk.newStart;
    while (this.at < this.lines.length) {
      const line = this.lines[this.at] ?? "";
      const mark = line[0];
      if (mark === "\\") {
        const last = hunk.lines.at(-1);
        if (last) last.endsOpen = true;
        this.at += 1;
        continue;
      }
      if (oldLeft <= 0 && newLeft <= 0) break;
      this.at += 1;
      const text = line.slice(1);
      if (mark === "+") {
        hunk.lines.push({ kind: "added", text, oldLine: undefined, newLine: newLine++ });
        hunk.added += 1;
        newLeft -= 1;
      } else if (mark === "-") {
        hunk.lines.push({ kind: "removed", text, oldLine: oldLine++, newLine: undefined });
        hunk.removed += 1;
        oldLeft -= 1;
      } else {
        hunk.lines.push({ kind: "same", text, oldLine: oldLine++, newLine: newLine++ });
        oldLeft -= 1;
        newLeft -= 1;
      }
    }
    file.hunks.push(hunk);
    file.added += hunk.added;
    file.removed += hunk.removed;
  }
}

function header(line: string, file: FileDiff): void {
  if (line.startsWith("new file mode ")) file.change = "added";
  else if (line.startsWith("deleted file mode ")) file.change = "deleted";
  else if (line.startsWith("rename from ")) {
    file.change = "renamed";
    file.oldPath = unquoted(line.slice(12));
  } else if (line.startsWith("rename to ")) file.path = unquoted(line.slice(10));
  else if (line.startsWith("--- ")) file.path = sidePath(line.slice(4)) ?? file.path;
  else if (line.startsWith("+++ ")) file.path = sidePath(line.slice(4)) ?? file.path;
  else if (line.startsWith("GIT binary patch") || line.startsWith("Binary files ")) file.isBinary = true;
}

export function readPatch(patch: string): FileDiff[] {
  return new Reader(patch).read();
}
