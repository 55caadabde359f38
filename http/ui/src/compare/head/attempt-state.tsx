// Where an attempt stands, as a glyph and a word, with the reason when there is one.
import type { AttemptState, Exit, Outcome } from "@/api/types";
import { StateBadge, type Tone } from "@/parts/state";

export type AttemptLook = {
  glyph: string;
  tone: Tone;
  word: string;
  /** On hover. */
  about?: string;
  /** What the word does not say already: why it waits, failed, stopped. */
  reason?: string;
  moving?: boolean;
};

export function exitText(exit: Exit): string {
  if (typeof exit === "string") return exit.replaceAll("_", " ");
  if ("code" in exit) return `exit ${exit.code}`;
  if ("signal" in exit) return `signal ${exit.signal}`;
  if ("over_limit" in exit) return exit.over_limit.limit;
  return exit.not_started.reason;
}

function outcomeLook(outcome: Outcome): AttemptLook {
  if (outcome === "passed") return { glyph: "✓", tone: "good", word: "passed" };
  if (outcome === "unchanged")
    return { glyph: "=", tone: "calm", word: "unchanged", about: "it ended well and changed nothing" };
  if (outcome === "timed_out") return { glyph: "!", tone: "bad", word: "timed out", about: "the agent's time was up" };
  if ("checks_failed" in outcome) {
    const { failed } = outcome.checks_failed;
    return { glyph: "✗", tone: "bad", word: "checks failed", about: `${failed} failed` };
  }
  if ("agent_failed" in outcome) {
    return { glyph: "!", tone: "bad", word: "agent failed", reason: exitText(outcome.agent_failed.exit) };
  }
  if ("cancelled" in outcome) return { glyph: "–", tone: "calm", word: "cancelled", reason: outcome.cancelled.reason };
  return { glyph: "!", tone: "bad", word: "failed", reason: outcome.failed.reason };
}

export function lookOf(state: AttemptState, checks: readonly string[] = []): AttemptLook {
  switch (state.name) {
    case "queued":
      return { glyph: "◌", tone: "calm", word: "queued", reason: state.reason ?? undefined };
    case "starting":
      return { glyph: "○", tone: "busy", word: "starting", about: "its sandbox is being made", moving: true };
    case "setup":
      return { glyph: "●", tone: "busy", word: "setup", moving: true };
    case "running":
      return { glyph: "●", tone: "busy", word: "running", moving: true };
    case "collecting":
      return { glyph: "◐", tone: "busy", word: "collecting", about: "its changes are being kept", moving: true };
    case "checking":
      return { glyph: "◐", tone: "busy", word: `checking ${checks[state.index] ?? ""}`.trim(), moving: true };
    case "retrying":
      return { glyph: "↻", tone: "warn", word: "retrying", reason: state.reason };
    case "cancelling":
      return { glyph: "–", tone: "calm", word: "cancelling", reason: state.reason, moving: true };
    case "finished":
      return outcomeLook(state.outcome);
  }
}

type Props = { state: AttemptState; checks?: readonly string[] };

export function AttemptStateBadge({ state, checks }: Props) {
  const look = lookOf(state, checks);
  return (
    <StateBadge glyph={look.glyph} tone={look.tone} title={look.about ?? look.reason} moving={look.moving}>
      {look.word}
    </StateBadge>
  );
}
