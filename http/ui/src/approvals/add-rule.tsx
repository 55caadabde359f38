// Adding a rule, after a look at what it would have answered.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { command } from "@/api/client";
import type { Approval } from "@/api/types";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { SelectField, TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { WhatCameOf } from "./over-list";
import { isWhole, type RuleDraft, ruleOf, scopeOf } from "./rule-draft";

type Props = { first: RuleDraft; onClose: () => void };

export function AddRule({ first, onClose }: Props) {
  const client = useQueryClient();
  const [draft, setDraft] = useState(first);
  const preview = useMutation({
    mutationFn: () => command("POST", "/approvals/rules/preview", { answer: draft.answer, scope: scopeOf(draft) }),
  });
  const add = useMutation({
    mutationFn: () => command("POST", "/approvals/rules", ruleOf(draft)),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["view", "/approvals/rules"] });
      onClose();
    },
  });
  const typed = (field: keyof RuleDraft) => ({
    value: draft[field],
    onChange: ({ target }: { target: { value: string } }) => {
      preview.reset();
      add.reset();
      setDraft({ ...draft, [field]: target.value });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  const error = add.error ?? preview.error;
  return (
    <Dialog title="Add a rule" onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div className="flex flex-wrap gap-3">
          <TextField className="min-w-40 flex-1" label="Name" required placeholder="builds" {...typed("name")} />
          <SelectField label="Answer" {...typed("answer")}>
            <option value="allow">Allow once</option>
            <option value="deny">Deny</option>
          </SelectField>
        </div>
        <TextField
          label="Command"
          {...typed("command")}
          hint={
            draft.answer === "allow"
              ? "Word by word: make *, cargo test. What a shell does more with fits none but its own text."
              : "Anywhere in the line: *push*--force*"
          }
        />
        <TextField label="Folder" {...typed("cwd")} hint="/work/** for everything below /work. Any, when empty." />
        <div className="grid gap-3 sm:grid-cols-3">
          <TextField label="Agent" placeholder="any" {...typed("agent")} />
          <TextField label="Gateway" placeholder="any" {...typed("gateway")} />
          <TextField label="Run" placeholder="any" {...typed("run")} />
        </div>
        <TextField label="Why" required {...typed("reason")} hint="Kept with each of its answers." />
        {preview.data && <Answered count={preview.data.count} of={preview.data.of} rows={preview.data.rows} />}
        {error && <ProblemNotice error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button onClick={() => preview.mutate()} disabled={preview.isPending}>
            Preview
          </Button>
          <Button type="submit" look="primary" disabled={!isWhole(draft) || add.isPending}>
            Add it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What a rule would have answered, and what became of it without the rule. */
function Answered({ count, of, rows }: { count: number; of: number; rows: Approval[] }) {
  return (
    <div role="status" className="flex flex-col gap-1">
      <p>
        It would have answered {count} of {of} questions{rows.length < count && `; the latest ${rows.length}`}
        {count > 0 ? ":" : "."}
      </p>
      {rows.length > 0 && (
        <ul
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
          tabIndex={0}
          aria-label="What it would have answered"
          className="max-h-40 divide-y divide-line overflow-auto"
        >
          {rows.map((ask) => (
            <li key={ask.id} className="flex items-baseline gap-3 py-0.5">
              <WhatCameOf ask={ask} />
              <code className="code min-w-0 truncate" title={ask.question.command}>
                {ask.question.command}
              </code>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
