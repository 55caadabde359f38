// How stretches and moments look: always a word or a glyph beside a colour.
import type { MarkSort, RunSpan, Span } from "@/api/types";

type Look = { word: string; look: string };

const CALM = "border-line-strong bg-raised text-soft";
const BUSY = "border-busy bg-busy/20 text-text";
const GOOD = "border-good bg-good-wash text-good";
const BAD = "border-bad bg-bad-wash text-bad";
const WAITING = "border-line-strong bg-transparent text-faint";

export const RUN_PHASES: Record<RunSpan["phase"], Look> = {
  preparing: { word: "preparing", look: CALM },
  racing: { word: "racing", look: BUSY },
  delivering: { word: "delivering", look: GOOD },
};

const PHASES: Record<Extract<Span["phase"], string>, Look> = {
  queued: { word: "queued", look: WAITING },
  starting: { word: "starting", look: CALM },
  setup: { word: "setup", look: CALM },
  agent: { word: "agent", look: BUSY },
  collecting: { word: "collecting", look: CALM },
  retrying: { word: "waits to try again", look: WAITING },
};

/** A stretch of an attempt; a command that ended otherwise than with 0 says so. */
export function spanLook(span: Span, checkOf: (index: number) => string): Look {
  const { phase } = span;
  const isCheck = typeof phase !== "string";
  const { word, look } = isCheck ? { word: `check ${checkOf(phase.check)}`, look: BUSY } : PHASES[phase];
  if (span.exit === null) return { word, look };
  const isGood = typeof span.exit === "object" && "code" in span.exit && span.exit.code === 0;
  if (!isGood) return { word: `${word} ✗`, look: BAD };
  return isCheck ? { word: `${word} ✓`, look: GOOD } : { word, look };
}

export const MARKS: Record<MarkSort, { glyph: string; word: string; tone: string }> = {
  requested: { glyph: "▸", word: "asked for", tone: "text-soft" },
  passed: { glyph: "✓", word: "passed", tone: "text-good" },
  failure: { glyph: "✗", word: "failed", tone: "text-bad" },
  cancel: { glyph: "■", word: "asked to stop", tone: "text-soft" },
  verdict: { glyph: "★", word: "verdict", tone: "text-accent" },
  delivered: { glyph: "⇥", word: "delivered", tone: "text-good" },
  undelivered: { glyph: "!", word: "not delivered", tone: "text-warn" },
};
