// What a form changes of a session. Pure.
import type { Session } from "./rows";

export type Draft = { label: string; model: string; thinking: string };

export function draftOf(session: Session): Draft {
  return {
    label: session.label ?? "",
    model: [session.provider, session.model].filter(Boolean).join("/"),
    thinking: session.thinking ?? "",
  };
}

/** Only what differs, as the gateway wants it: null clears. */
export function changes(session: Session, draft: Draft): Record<string, string | null> {
  const before = draftOf(session);
  const patch: Record<string, string | null> = {};
  if (draft.label.trim() !== before.label) patch.label = draft.label.trim() || null;
  if (draft.model !== before.model) patch.model = draft.model || null;
  if (draft.thinking !== before.thinking) patch.thinkingLevel = draft.thinking || null;
  return patch;
}
