// The hunks somebody chose for a synthesis. Pure. In the address: `a.0.src%2Fparse.js,b.w.logo.png`, where
// `w` stands for the whole file.
import type { Slot } from "@/api/types";

/** Hunks are counted from 0, as in the patch; nothing stands for the whole file. */
export type ChosenHunk = { slot: Slot; path: string; hunk: number | undefined };

/** As many as fit into an address that every browser and proxy takes. */
export const CHOSEN_MAX = 60;

export function isSame(one: ChosenHunk, other: ChosenHunk): boolean {
  return one.slot === other.slot && one.path === other.path && one.hunk === other.hunk;
}

export function isChosen(chosen: readonly ChosenHunk[], hunk: ChosenHunk): boolean {
  return chosen.some((known) => isSame(known, hunk));
}

/** As the server counts them: from 1. */
export function wireHunks(chosen: readonly ChosenHunk[]) {
  return chosen.map(({ slot, path, hunk }) => ({ slot, path, hunk: hunk === undefined ? undefined : hunk + 1 }));
}

/** Adds a hunk, or takes it out again. Of one file of one attempt either the whole or hunks are chosen. */
export function toggled(chosen: readonly ChosenHunk[], hunk: ChosenHunk): ChosenHunk[] {
  if (isChosen(chosen, hunk)) return chosen.filter((known) => !isSame(known, hunk));
  const others = chosen.filter(
    (known) =>
      known.slot !== hunk.slot || known.path !== hunk.path || (known.hunk === undefined) === (hunk.hunk === undefined),
  );
  return others.length < CHOSEN_MAX ? [...others, hunk] : others;
}

export function textOfHunks(chosen: readonly ChosenHunk[]): string | undefined {
  if (chosen.length === 0) return undefined;
  return chosen.map(({ slot, path, hunk }) => `${slot}.${hunk ?? "w"}.${encodeURIComponent(path)}`).join(",");
}

export function hunksFromText(text: string | undefined): ChosenHunk[] {
  if (!text) return [];
  return text
    .split(",")
    .slice(0, CHOSEN_MAX)
    .flatMap((part) => {
      const [, slot, hunk, path] = /^([a-z]+)\.(\d+|w)\.(.+)$/.exec(part) ?? [];
      if (!slot || !hunk || !path) return [];
      return [{ slot, hunk: hunk === "w" ? undefined : Number(hunk), path: decoded(path) }];
    });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export type ChosenFile = { path: string; hunks: ChosenHunk[] };

/** By file, in the order of paths, and by what the attempts are called: how a person checks what comes together. */
export function byFile(chosen: readonly ChosenHunk[], nameOf: (slot: Slot) => string): ChosenFile[] {
  const files = new Map<string, ChosenHunk[]>();
  for (const hunk of chosen) files.set(hunk.path, [...(files.get(hunk.path) ?? []), hunk]);
  return [...files]
    .map(([path, hunks]) => ({
      path,
      hunks: hunks.toSorted((a, b) => nameOf(a.slot).localeCompare(nameOf(b.slot)) || (a.hunk ?? -1) - (b.hunk ?? -1)),
    }))
    .toSorted((a, b) => a.path.localeCompare(b.path));
}
