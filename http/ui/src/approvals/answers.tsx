// The answers to one question, or to the same question of several attempts at once.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import type { Approval, Decision } from "@/api/types";
import { actorName } from "@/format/actor";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button } from "@/parts/button";
import { bareField } from "@/parts/field";
import { Key } from "@/parts/key";
import { ProblemNotice } from "@/parts/problem-notice";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { AddRule } from "./add-rule";
import { draftOf } from "./rule-draft";

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

type Props = {
  ask: Approval;
  isChosen: boolean;
  /** An answer was refused: the question is about to be gone, and what became of it must stay in sight. */
  onLate: () => void;
};

export function Answers({ ask, isChosen, onLate }: Props) {
  const { asOf } = useReplay();
  const client = useQueryClient();
  const [note, setNote] = useState("");
  const [withSiblings, setWithSiblings] = useState(false);
  const [isMakingRule, setMakingRule] = useState(false);
  const all = [ask.id, ...ask.siblings];
  const answer = useMutation({
    mutationFn: async (decision: Decision) => {
      const given = { decision, note: note.trim() };
      if (!withSiblings || all.length === 1) {
        await command("POST", `/approvals/${encodeURIComponent(ask.id)}/answer`, given);
        return [];
      }
      const { rows } = await command("POST", "/approvals/answers", { approvals: all, ...given });
      return rows.filter(({ problem }) => problem !== null);
    },
    onError: onLate,
    onSettled: () => client.invalidateQueries({ queryKey: ["view", "/approvals"] }),
  });
  const mayAnswer = useMay("answer");
  const mayRule = useMay("rules");
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
      {all.length > 1 && (
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={withSiblings} onChange={(event) => setWithSiblings(event.target.checked)} />
          Answer all {all.length}: as many attempts of this run ask exactly this
        </label>
      )}
      <div className="flex flex-wrap items-center gap-2">
        {ask.decisions.map((decision) => {
          const { word, key, look, about } = ANSWERS[decision];
          return (
            <Button key={decision} look={look} title={about} disabled={!isOpen} onClick={() => answer.mutate(decision)}>
              {withSiblings && all.length > 1 ? `${word}, all ${all.length}` : word}
              {isChosen && (
                <span className="max-md:hidden">
                  <Key>{key}</Key>
                </span>
              )}
            </Button>
          );
        })}
        <input
          aria-label="Note with the answer"
          placeholder="Note, kept with the answer"
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.target.value)}
          className={bareField("min-w-40 flex-1 max-sm:basis-full")}
        />
        {mayRule && !ask.question.plugin && (
          <Button look="quiet" title="answer what is like this in advance" onClick={() => setMakingRule(true)}>
            Make a rule
          </Button>
        )}
      </div>
      {isMakingRule && <AddRule first={draftOf(ask)} onClose={() => setMakingRule(false)} />}
      {answer.isError && <ProblemNotice error={answer.error} />}
      {answer.data?.map(({ approval, problem }) => (
        <p key={approval} role="alert" className="text-warn">
          {approval}: {problem}
        </p>
      ))}
    </>
  );
}
