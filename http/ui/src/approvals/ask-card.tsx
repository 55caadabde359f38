// One question: what would be run, where, who asks, how long it waits, and the answers that are offered.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import { useMe } from "@/api/me";
import type { Approval, Decision } from "@/api/types";
import { actorName } from "@/format/actor";
import { ago, clock, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";
import { bareField } from "@/parts/field";
import { Key } from "@/parts/key";
import { ProblemNotice } from "@/parts/problem-notice";
import { StateBadge } from "@/parts/state";
import { useReplay } from "@/replay/replay";

const ANSWERS: Record<Decision, { word: string; key: string; look: "primary" | "plain" | "danger"; about: string }> = {
  "allow-once": { word: "Allow once", key: "a", look: "primary", about: "this time" },
  "allow-always": {
    word: "Always allow",
    key: "A",
    look: "plain",
    about: "whenever exactly this is asked in this folder",
  },
  deny: { word: "Deny", key: "x", look: "danger", about: "the agent is told no" },
};

type Props = { ask: Approval; isChosen: boolean; onChoose: () => void };

export function AskCard({ ask, isChosen, onChoose }: Props) {
  const now = useNow();
  const { question } = ask;
  const leftMs = ask.expires_at_us / 1_000 - now;
  return (
    <article
      id={`ask-${ask.id}`}
      aria-label={`Question ${ask.id}`}
      aria-current={isChosen || undefined}
      className={classes("rounded-md border bg-surface", isChosen ? "border-accent" : "border-line")}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-3">
        <button
          type="button"
          onClick={onChoose}
          title={`${ask.id}: choose it, for its keys and its link`}
          className="font-semibold underline-offset-2 hover:underline"
        >
          {question.agent ?? "an agent"} of {ask.gateway}
        </button>
        <span className="text-faint text-sm" title={moment(ask.asked_at_us)}>
          asked {ago(now - ask.asked_at_us / 1_000)}
        </span>
        <span
          className={classes("ml-auto tabular-nums", leftMs < 300_000 ? "text-warn" : "text-soft")}
          title={`until ${moment(ask.expires_at_us)}; then the command is not run`}
        >
          {leftMs > 0 ? `${clock(leftMs)} left` : "its time is over"}
        </span>
      </header>
      <div className="flex flex-col gap-2 px-4 py-3">
        <pre
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
          tabIndex={0}
          className="code max-h-64 overflow-auto whitespace-pre-wrap break-all rounded-md bg-sunken p-3"
        >
          {question.command}
        </pre>
        <Details question={question} />
        {ask.reason !== null && <p className="text-warn">An answer did not arrive: {ask.reason}</p>}
        <Answers ask={ask} isChosen={isChosen} />
      </div>
    </article>
  );
}

function Details({ question }: { question: Approval["question"] }) {
  const rows: [string, string | undefined][] = [
    ["in", question.cwd],
    ["runs", question.program],
    ["on", question.host],
    ["session", question.session],
  ];
  return (
    <>
      {question.argv.length > 1 && (
        <ol aria-label="Words of the command" className="flex flex-wrap gap-1">
          {question.argv.map((word, at) => (
            <li key={at} className="code rounded-sm border border-line bg-raised px-1.5">
              {word}
            </li>
          ))}
        </ol>
      )}
      <dl className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
        {rows.map(
          ([name, value]) =>
            value && (
              <div key={name} className="flex min-w-0 gap-1.5">
                <dt className="text-faint">{name}</dt>
                <dd className="code min-w-0 break-all">{value}</dd>
              </div>
            ),
        )}
      </dl>
      {question.warnings.map((warning) => (
        <p key={warning} className="text-warn">
          <span aria-hidden>! </span>
          {warning}
        </p>
      ))}
    </>
  );
}

function Answers({ ask, isChosen }: { ask: Approval; isChosen: boolean }) {
  const { data: me } = useMe();
  const { asOf } = useReplay();
  const client = useQueryClient();
  const [note, setNote] = useState("");
  const answer = useMutation({
    mutationFn: (decision: Decision) =>
      command("POST", `/approvals/${encodeURIComponent(ask.id)}/answer`, { decision, note: note.trim() }),
    onSettled: () => client.invalidateQueries({ queryKey: ["view", "/approvals"] }),
  });
  const mayAnswer = (me?.can.includes("answer") ?? false) && asOf === undefined;
  const isOpen = ask.state === "open" && mayAnswer && !answer.isPending;
  useShortcuts(
    "The chosen question",
    isChosen && isOpen
      ? ask.decisions.map((decision) => ({
          keys: ANSWERS[decision].key,
          about: ANSWERS[decision].word,
          run: () => answer.mutate(decision),
        }))
      : [],
  );
  if (ask.state === "answering" && !answer.isError) {
    return (
      <StateBadge glyph="◌" tone="busy" moving>
        {ask.by && actorName(ask.by)} answers {ask.decision}
      </StateBadge>
    );
  }
  if (!mayAnswer) return <p className="text-faint">{asOf === undefined && "Approvers answer this."}</p>;
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        {ask.decisions.map((decision) => {
          const { word, key, look, about } = ANSWERS[decision];
          return (
            <Button key={decision} look={look} title={about} disabled={!isOpen} onClick={() => answer.mutate(decision)}>
              {word}
              {isChosen && <Key>{key}</Key>}
            </Button>
          );
        })}
        <input
          aria-label="Note with the answer"
          placeholder="Note, kept with the answer"
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.target.value)}
          className={bareField("min-w-40 flex-1")}
        />
      </div>
      {answer.isError && <ProblemNotice error={answer.error} />}
    </>
  );
}
