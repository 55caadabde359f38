// Questions that are over: what became of each, who answered, and when.
import type { Approval } from "@/api/types";
import { actorName } from "@/format/actor";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { StateBadge, type Tone } from "@/parts/state";

export function OverList({ rows }: { rows: Approval[] }) {
  return (
    <section aria-label="What is over">
      <h2 className="mb-2 font-semibold">What is over</h2>
      {rows.length === 0 ? (
        <p className="text-soft">Nothing was ever asked here.</p>
      ) : (
        <ul className="divide-y divide-line rounded-md border border-line bg-surface">
          {rows.map((ask) => (
            <OverRow key={ask.id} ask={ask} />
          ))}
        </ul>
      )}
    </section>
  );
}

/** What became of a question, as a badge. */
export function WhatCameOf({ ask }: { ask: Approval }) {
  const { glyph, tone, word } = cameTo(ask);
  return (
    <StateBadge glyph={glyph} tone={tone}>
      {word}
    </StateBadge>
  );
}

function cameTo({ state, decision }: Approval): { glyph: string; tone: Tone; word: string } {
  if (state === "open" || state === "answering") return { glyph: "◌", tone: "accent", word: "open" };
  if (state === "expired") return { glyph: "◷", tone: "warn", word: "expired" };
  if (state === "cancelled") return { glyph: "■", tone: "calm", word: "cancelled" };
  if (decision === "deny") return { glyph: "✗", tone: "bad", word: "denied" };
  return { glyph: "✓", tone: "good", word: decision === "allow-always" ? "always allowed" : "allowed" };
}

/** A question that is over, as a row. */
export function OverRow({ ask }: { ask: Approval }) {
  const now = useNow();
  const why = ask.note ?? ask.reason;
  return (
    <li className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-4 py-2">
      <WhatCameOf ask={ask} />
      <code className="code min-w-0 flex-1 basis-60 truncate" title={ask.question.command}>
        {ask.question.command}
      </code>
      <span className="text-soft text-sm">
        {ask.by && `${actorName(ask.by)}, `}
        {ask.settled_at_us !== null && (
          <span title={moment(ask.settled_at_us)}>{ago(now - ask.settled_at_us / 1_000)}</span>
        )}
        <span className="text-faint"> · {ask.gateway}</span>
      </span>
      {why && <span className="w-full break-words text-faint text-sm">{why}</span>}
    </li>
  );
}
