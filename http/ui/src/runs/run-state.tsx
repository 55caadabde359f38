// Where a run stands, as a glyph and a word.
import type { RunState } from "@/api/types";
import { StateBadge, type Tone } from "@/parts/state";

type Look = { glyph: string; tone: Tone; word: string; about: string; moving?: boolean };

export const RUN_STATES: Record<RunState, Look> = {
  requested: { glyph: "○", tone: "calm", word: "requested", about: "asked for; the base is about to be pinned" },
  preparing: {
    glyph: "◌",
    tone: "busy",
    word: "preparing",
    about: "attempts stand in line; the base is being pinned",
    moving: true,
  },
  racing: { glyph: "●", tone: "busy", word: "racing", about: "at least one attempt is not over", moving: true },
  deciding: {
    glyph: "◐",
    tone: "busy",
    word: "deciding",
    about: "every attempt is over; there is no verdict yet",
    moving: true,
  },
  delivering: {
    glyph: "▸",
    tone: "busy",
    word: "delivering",
    about: "there is a winner on its way to the target",
    moving: true,
  },
  delivered: { glyph: "✓", tone: "good", word: "delivered", about: "the winner's branch is in the repository" },
  undelivered: {
    glyph: "!",
    tone: "warn",
    word: "undelivered",
    about: "there is a winner, but it could not be delivered",
  },
  undecided: { glyph: "?", tone: "accent", word: "undecided", about: "there is no winner; you may pick one" },
  cancelling: {
    glyph: "◌",
    tone: "calm",
    word: "cancelling",
    about: "somebody asked to stop it; it is not over yet",
    moving: true,
  },
  cancelled: { glyph: "–", tone: "calm", word: "cancelled", about: "it was stopped" },
  failed: { glyph: "✗", tone: "bad", word: "failed", about: "it could not be prepared" },
};

export function RunStateBadge({ state }: { state: RunState }) {
  const { glyph, tone, word, about, moving } = RUN_STATES[state];
  return (
    <StateBadge glyph={glyph} tone={tone} title={about} moving={moving}>
      {word}
    </StateBadge>
  );
}
