// What of a session may be changed by whoever may talk in it: its name, its model, how much it thinks. Only what was changed is sent.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { modelsOf } from "@/gateways/answers";
import { callGateway, useRead } from "@/gateways/use-reads";
import { Button } from "@/parts/button";
import { SelectField, TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { changes, type Draft, draftOf } from "./patch";
import type { Session } from "./rows";

export function SessionForm({ session }: { session: Session }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(session));
  const models = useRead(session.gateway, "models.list", {}, modelsOf);
  const patch = changes(session, draft);
  const save = useMutation({
    mutationFn: () => callGateway(session.gateway, "sessions.patch", { key: session.key, ...patch }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", `/gateways/${session.gateway}/read`] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const change = (more: Partial<Draft>) => {
    save.reset();
    setDraft({ ...draft, ...more });
  };
  const levels = models.data?.find((model) => model.id === draft.model)?.thinkingLevels ?? session.thinkingLevels;
  return (
    <form
      onSubmit={submit}
      aria-label="Change the session"
      className="flex flex-col gap-3 rounded-md border border-line p-3"
    >
      <div className="grid gap-3 sm:grid-cols-3">
        <TextField
          label="Name"
          value={draft.label}
          maxLength={200}
          onChange={(event) => change({ label: event.target.value })}
        />
        <SelectField label="Model" value={draft.model} onChange={(event) => change({ model: event.target.value })}>
          {options(draft.model, models.data?.filter((model) => model.isAvailable).map((model) => model.id) ?? [])}
        </SelectField>
        <SelectField
          label="Thinking"
          value={draft.thinking}
          onChange={(event) => change({ thinking: event.target.value })}
        >
          {options(draft.thinking, levels)}
        </SelectField>
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" disabled={Object.keys(patch).length === 0 || save.isPending}>
          {save.isPending ? "Saving…" : "Save"}
        </Button>
        <span className="text-faint">
          {save.isSuccess ? "Saved; the next turn uses it." : "From the next turn on."}
        </span>
      </div>
      {save.isError && <ProblemNotice error={save.error} />}
    </form>
  );
}

/** Choices, with the one in force even when it is not offered any more. */
function options(current: string, offered: readonly string[]) {
  const all = offered.includes(current) ? offered : [current, ...offered];
  return all.map((option) => (
    <option key={option} value={option}>
      {option || "as the agent has it"}
    </option>
  ));
}
