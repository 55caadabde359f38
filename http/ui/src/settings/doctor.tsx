// What the doctor finds on the server's machine, and what to do about it.

import type { Finding } from "@/api/types";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { StateBadge, type Tone } from "@/parts/state";

const STATES: Record<Finding["state"], { glyph: string; tone: Tone; word: string }> = {
  ok: { glyph: "✓", tone: "good", word: "ok" },
  note: { glyph: "–", tone: "calm", word: "not there" },
  warn: { glyph: "!", tone: "warn", word: "could be better" },
  fail: { glyph: "✗", tone: "bad", word: "does not work" },
};

export function Doctor() {
  const { data, error, isPending, isFetching, refetch } = useView("/doctor", {}, { timeless: true });
  if (isPending) return <SkeletonRows />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex flex-col gap-3">
      <div>
        <Button onClick={() => void refetch()} disabled={isFetching}>
          {isFetching ? "Looking…" : "Look again"}
        </Button>
      </div>
      <div className="divide-y divide-line rounded-md border border-line bg-surface">
        {(data ?? []).map((finding) => {
          const { glyph, tone, word } = STATES[finding.state] ?? STATES.note;
          return (
            <div key={finding.name} className="grid gap-x-4 px-4 py-2 sm:grid-cols-[9rem_9rem_1fr]">
              <StateBadge glyph={glyph} tone={tone}>
                {word}
              </StateBadge>
              <span className="font-medium">{finding.name}</span>
              <span className="min-w-0 break-words">
                {finding.found}
                {finding.fix && <p className="text-soft">Do: {finding.fix}</p>}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
