// The last run that was asked for here, for the next one. Kept in this browser alone.
import { type Draft, EMPTY } from "./draft";

const KEY = "regatta.new-run";

export function remembered(): Draft {
  try {
    const text = localStorage.getItem(KEY);
    if (!text) return EMPTY;
    // The task itself is new each time.
    return { ...EMPTY, ...(JSON.parse(text) as Partial<Draft>), prompt: "" };
  } catch {
    return EMPTY;
  }
}

export function remember(draft: Draft): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...draft, prompt: undefined }));
  } catch {
    // Storage can be denied or full; then the next form is empty.
  }
}
