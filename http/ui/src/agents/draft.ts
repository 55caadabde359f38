// Changes of an agent's file that are not saved yet. Kept in this browser, so that a reload loses nothing, together with
// the hash of what they were made from.

export type Draft = {
  text: string;
  /** The file as it was read when the change began; nothing for one that was not there. */
  base: string | undefined;
};

const keyOf = (gateway: string, agent: string, file: string) => `regatta.file ${gateway} ${agent} ${file}`;

export function keptDraft(gateway: string, agent: string, file: string): Draft | undefined {
  try {
    const text = localStorage.getItem(keyOf(gateway, agent, file));
    const draft = text === null ? undefined : (JSON.parse(text) as Partial<Draft>);
    return typeof draft?.text === "string" ? { text: draft.text, base: draft.base } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a draft, or forgets it. */
export function keepDraft(gateway: string, agent: string, file: string, draft: Draft | undefined): void {
  try {
    if (draft) localStorage.setItem(keyOf(gateway, agent, file), JSON.stringify(draft));
    else localStorage.removeItem(keyOf(gateway, agent, file));
  } catch {
    // Storage can be denied or full; the draft then lasts as long as the page.
  }
}
