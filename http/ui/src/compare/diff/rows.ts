// A diff as rows of known height, for a list that draws only what is seen. Pure.
import type { DiffLine, FileDiff, Hunk } from "./patch";

export type DiffRow =
  | { kind: "file"; file: FileDiff; isOpen: boolean }
  | { kind: "hunk"; file: FileDiff; hunk: Hunk }
  | { kind: "line"; file: FileDiff; hunk: Hunk; line: DiffLine; lineIndex: number }
  | { kind: "note"; file: FileDiff; text: string };

export const ROW_PX: Record<DiffRow["kind"], number> = { file: 32, hunk: 26, line: 19, note: 26 };

/** Files past this many changed lines are closed at first. */
export const OPEN_LINES_MAX = 2_000;
/** Made by tools: closed at first, and said so. */
const GENERATED =
  /(^|\/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|Cargo\.lock|poetry\.lock|go\.sum|.*\.min\.(js|css))$/;

export function isGenerated(path: string): boolean {
  return GENERATED.test(path);
}

export function isOpenAtFirst(file: FileDiff): boolean {
  return !isGenerated(file.path) && file.added + file.removed <= OPEN_LINES_MAX;
}

/** `toggled` holds the paths whose files stand otherwise than at first. */
export function rowsOf(files: readonly FileDiff[], toggled: ReadonlySet<string>): DiffRow[] {
  return files.flatMap((file) => {
    const isOpen = isOpenAtFirst(file) !== toggled.has(file.path);
    const head: DiffRow = { kind: "file", file, isOpen };
    if (!isOpen) return [head];
    const note = noteOf(file);
    if (note) return [head, { kind: "note", file, text: note }];
    return [head, ...file.hunks.flatMap((hunk) => rowsOfHunk(file, hunk))];
  });
}

function rowsOfHunk(file: FileDiff, hunk: Hunk): DiffRow[] {
  return [
    { kind: "hunk", file, hunk },
    ...hunk.lines.map((line, lineIndex): DiffRow => ({ kind: "line", file, hunk, line, lineIndex })),
  ];
}

function noteOf(file: FileDiff): string | undefined {
  if (file.isBinary) return "a binary file";
  if (file.hunks.length > 0) return undefined;
  if (file.change === "renamed") return `renamed from ${file.oldPath ?? "?"}, content unchanged`;
  if (file.mode) return `only its mode changed: ${file.mode}`;
  return "an empty file";
}

/** A place in a diff that another attempt's diff may have too: a file, and a line of the base. */
export type Place = { path: string; oldLine: number };

export function placeOf(row: DiffRow): Place {
  const path = row.file.oldPath ?? row.file.path;
  if (row.kind === "hunk") return { path, oldLine: row.hunk.oldStart };
  if (row.kind !== "line") return { path, oldLine: 0 };
  return { path, oldLine: row.line.oldLine ?? oldLineBefore(row.hunk, row.lineIndex) };
}

function oldLineBefore(hunk: Hunk, lineIndex: number): number {
  for (let index = lineIndex; index >= 0; index -= 1) {
    const oldLine = hunk.lines[index]?.oldLine;
    if (oldLine !== undefined) return oldLine;
  }
  return hunk.oldStart;
}

/** Where the rows of each file are, by its path in the base: from, and up to. */
export type FileRows = ReadonlyMap<string, readonly [from: number, to: number]>;

export function fileRows(rows: readonly DiffRow[]): FileRows {
  const places = new Map<string, [number, number]>();
  rows.forEach((row, index) => {
    const path = row.file.oldPath ?? row.file.path;
    const known = places.get(path);
    if (known) known[1] = index + 1;
    else places.set(path, [index, index + 1]);
  });
  return places;
}

/** The row that stands nearest to a place; nothing when the file is not in this diff. */
export function rowNearest(rows: readonly DiffRow[], files: FileRows, place: Place): number | undefined {
  const [from, to] = files.get(place.path) ?? [0, 0];
  let nearest: number | undefined;
  let distance = Number.POSITIVE_INFINITY;
  for (let index = from; index < to; index += 1) {
    const row = rows[index];
    if (!row) continue;
    const away = Math.abs(placeOf(row).oldLine - place.oldLine);
    if (away < distance) {
      nearest = index;
      distance = away;
    }
  }
  return nearest;
}
