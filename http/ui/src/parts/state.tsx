// A state is a glyph and a word, never a colour alone.
import type { ReactNode } from "react";
import { classes } from "./classes";

export type Tone = "good" | "bad" | "warn" | "busy" | "calm" | "accent";

const TONES: Record<Tone, string> = {
  good: "text-good",
  bad: "text-bad",
  warn: "text-warn",
  busy: "text-busy",
  calm: "text-faint",
  accent: "text-accent",
};

type Props = { glyph: string; tone: Tone; children: ReactNode; title?: string; moving?: boolean };

export function StateBadge({ glyph, tone, children, title, moving }: Props) {
  return (
    <span title={title} className={classes("inline-flex items-center gap-1.5 whitespace-nowrap", TONES[tone])}>
      <span aria-hidden className={classes("inline-block w-3.5 text-center", moving && "breathe")}>
        {glyph}
      </span>
      {children}
    </span>
  );
}
