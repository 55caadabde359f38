// How the attempts of a run stand, as one glyph each while they are few, then as numbers.
import type { AttemptCounts as Counts } from "@/api/types";
import { plural } from "@/format/numbers";
import { classes } from "@/parts/classes";

/** Glyphs in one row of the list; more attempts are shown as numbers. */
const GLYPHS_MAX = 10;
/** The same on a phone. */
const GLYPHS_MAX_PHONE = 5;

type Kind = { keys: (keyof Counts)[]; glyph: string; tone: string; word: string };

const KINDS: Kind[] = [
  { keys: ["passed"], glyph: "✓", tone: "text-good", word: "passed" },
  { keys: ["checks_failed"], glyph: "✗", tone: "text-bad", word: "failed checks" },
  { keys: ["agent_failed", "timed_out", "failed"], glyph: "!", tone: "text-bad", word: "failed" },
  { keys: ["unchanged"], glyph: "=", tone: "text-faint", word: "unchanged" },
  { keys: ["running", "setup", "starting"], glyph: "●", tone: "text-busy", word: "running" },
  { keys: ["collecting", "checking"], glyph: "◐", tone: "text-busy", word: "checking" },
  { keys: ["queued", "retrying"], glyph: "◌", tone: "text-faint", word: "waiting" },
  { keys: ["cancelled", "cancelling"], glyph: "–", tone: "text-faint", word: "cancelled" },
];

export function countedBy(counts: Counts): { glyph: string; tone: string; word: string; number: number }[] {
  return KINDS.map(({ keys, ...look }) => ({
    ...look,
    number: keys.reduce((sum, key) => sum + counts[key], 0),
  })).filter((kind) => kind.number > 0);
}

export function AttemptCounts({ counts }: { counts: Counts }) {
  const kinds = countedBy(counts);
  const told = kinds.map((kind) => `${kind.number} ${kind.word}`).join(", ");
  const title = `${plural(counts.total, "attempt")}${told ? `: ${told}` : ""}`;
  const numbers = (
    <span
      aria-hidden
      className={classes(
        "inline-flex gap-2",
        counts.total <= GLYPHS_MAX && "md:hidden",
        counts.total <= GLYPHS_MAX_PHONE && "hidden",
      )}
    >
      {kinds.map((kind) => (
        <span key={kind.word} className={kind.tone}>
          {kind.number} {kind.glyph}
        </span>
      ))}
    </span>
  );
  const glyphs = counts.total <= GLYPHS_MAX && (
    <span aria-hidden className={classes("inline-flex gap-0.5", counts.total > GLYPHS_MAX_PHONE && "max-md:hidden")}>
      {kinds.flatMap((kind) =>
        Array.from({ length: kind.number }, (_, index) => (
          <span key={`${kind.word}${index}`} className={classes("inline-block w-4 text-center", kind.tone)}>
            {kind.glyph}
          </span>
        )),
      )}
    </span>
  );
  return (
    <span title={title} className="relative">
      <span className="sr-only">{title}</span>
      {numbers}
      {glyphs}
    </span>
  );
}
