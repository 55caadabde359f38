// The checks of one attempt, run by Regatta after the agent, with what they printed.

import { useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronRight } from "lucide-react";
import { createContext, useContext, useState } from "react";
import { getText } from "@/api/client";
import type { CheckState, CheckView, Column } from "@/api/types";
import { bytes, count } from "@/format/numbers";
import { lasted } from "@/format/time";
import { useView } from "@/live/use-view";
import { ProblemNotice } from "@/parts/problem-notice";
import { StateBadge, type Tone } from "@/parts/state";
import { BodyNote, BodySkeleton } from "../body-note";
import { exitText } from "../head/attempt-state";
import { ArtifactsPart } from "./artifacts";
import { PlainOutput } from "./plain-output";

const LOOKS: Record<CheckState, { glyph: string; tone: Tone }> = {
  pending: { glyph: "○", tone: "calm" },
  running: { glyph: "●", tone: "busy" },
  passed: { glyph: "✓", tone: "good" },
  failed: { glyph: "✗", tone: "bad" },
  skipped: { glyph: "–", tone: "calm" },
};

/** What a sandbox is called holds the slot, and commands print where they run. */
const SANDBOX = /regatta-[\w]+-[0-9a-z]{8}-[a-z]{1,2}-\d+/g;
const AS_IT_IS = (text: string) => text;
const Shown = createContext(AS_IT_IS);
const WITHOUT_SANDBOX = (text: string) => text.replaceAll(SANDBOX, "sandbox");

export default function ChecksBody({ column, isBlind }: { column: Column; isBlind: boolean }) {
  const attempt = useView(`/attempts/${column.attempt}`);
  if (attempt.isError)
    return <ProblemNotice className="m-3" error={attempt.error} onRetry={() => void attempt.refetch()} />;
  if (!attempt.data) return <BodySkeleton />;
  const { checks, artifacts } = attempt.data;
  const without = "This run has no checks. Add some: regatta run … --check 'make test'";
  if (checks.length === 0 && (!artifacts || isBlind)) return <BodyNote>{without}</BodyNote>;
  return (
    <Shown value={isBlind ? WITHOUT_SANDBOX : AS_IT_IS}>
      <div className="h-full divide-y divide-line overflow-y-auto bg-surface">
        {checks.length === 0 && <p className="px-3 py-2 text-soft">{without}</p>}
        <ul className="divide-y divide-line">
          {checks.map((check) => (
            <Check key={check.index} attempt={column.attempt} check={check} />
          ))}
        </ul>
        {/* What an attempt left, and the address it is fetched from, tell who it is. */}
        {artifacts && !isBlind && <ArtifactsPart attempt={column.attempt} sums={artifacts} />}
      </div>
    </Shown>
  );
}

function Check({ attempt, check }: { attempt: string; check: CheckView }) {
  const [isOpen, setOpen] = useState<boolean | undefined>();
  const open = isOpen ?? check.state !== "pending";
  const look = LOOKS[check.state];
  const Chevron = open ? ChevronDown : ChevronRight;
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex w-full items-center gap-2 px-3 py-2 text-left max-md:py-2.5 hover:bg-raised"
      >
        <Chevron size={14} aria-hidden className="shrink-0 text-faint" />
        <StateBadge glyph={look.glyph} tone={look.tone} moving={check.state === "running"}>
          {check.state}
        </StateBadge>
        <span className="truncate font-medium">{check.name}</span>
        <span className="ml-auto shrink-0 text-faint">
          {check.state === "failed" && check.exit && <span className="mr-2 text-bad">{exitText(check.exit)}</span>}
          {check.elapsed_ms !== null && lasted(check.elapsed_ms)}
        </span>
      </button>
      {open && (
        <div className="px-3 pb-3">
          <p className="code mb-1 overflow-x-auto whitespace-pre text-faint">$ {check.command}</p>
          <CheckOutput attempt={attempt} check={check} />
        </div>
      )}
    </li>
  );
}

function CheckOutput({ attempt, check }: { attempt: string; check: CheckView }) {
  const [isWhole, setWhole] = useState(false);
  const shown = useContext(Shown);
  const { text, bytes_before: before } = check.output_tail;
  if (isWhole) return <WholeOutput attempt={attempt} check={check} />;
  if (!text)
    return check.state === "pending" || check.state === "skipped" ? null : (
      <p className="text-faint text-sm">It printed nothing.</p>
    );
  return (
    <>
      {before > 0 && (
        <button
          type="button"
          onClick={() => setWhole(true)}
          className="mb-1 text-faint text-sm underline hover:text-text"
        >
          {bytes(before)} before; show it
        </button>
      )}
      <PlainOutput text={shown(text)} isTail={before > 0} />
    </>
  );
}

/** Most of one check's output that is shown here; the rest is in the output itself. */
const SHOWN_CHARS_MAX = 256 * 1_024;

function WholeOutput({ attempt, check }: { attempt: string; check: CheckView }) {
  const shown = useContext(Shown);
  const whole = useQuery({
    queryKey: ["output", attempt, check.index, check.elapsed_ms],
    queryFn: ({ signal }) => getText(`/attempts/${attempt}/output`, { phase: `check-${check.index}` }, signal),
  });
  if (whole.isError) return <ProblemNotice error={whole.error} />;
  if (whole.data === undefined) return <BodySkeleton />;
  const text = shown(whole.data);
  const cut = text.length - SHOWN_CHARS_MAX;
  return <PlainOutput text={cut > 0 ? `… ${count(cut)} characters before\n${text.slice(cut)}` : text} />;
}
