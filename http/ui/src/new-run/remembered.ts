// What the form begins with, and what was typed into it and not started. Kept in this browser alone. No field of it takes
// a secret: those are named in the repository's regatta.toml.
import { type Draft, draftFrom, EMPTY } from "./draft";

/** The last run that was asked for here. */
const LAST = "regatta.new-run";
/** The one that is being written. */
const UNSENT = "regatta.new-run.draft";
/** Most that is kept of a form, in characters: more than the longest task that may be sent, and less than browsers store. */
export const KEPT_CHARS_MAX = 2_097_152;

/** A form for another run: as the last one, but for the task. */
export function remembered(): Draft {
  return { ...(read(LAST) ?? EMPTY), prompt: "" };
}

export function remember(draft: Draft): void {
  write(LAST, { ...draft, prompt: "" });
}

/** What was being written when the page was left. */
export function unsent(): Draft | undefined {
  return read(UNSENT);
}

/** Keeps what is being written, or forgets it; says whether it is kept. */
export function keepUnsent(draft: Draft | undefined): boolean {
  return write(UNSENT, draft);
}

function read(key: string): Draft | undefined {
  try {
    const text = localStorage.getItem(key);
    return text === null ? undefined : draftFrom(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function write(key: string, draft: Draft | undefined): boolean {
  try {
    const text = draft && JSON.stringify(draft);
    const fits = text !== undefined && text.length <= KEPT_CHARS_MAX;
    // An older one would come back in place of this.
    if (fits) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
    return fits;
  } catch {
    // Storage can be denied or full; then it lasts as long as the page.
    return false;
  }
}
