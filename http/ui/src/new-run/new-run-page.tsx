// One task for several agents. The next one begins as the last one, but for the task; what is not started yet is kept.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { command, freshKey } from "@/api/client";
import { plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { Button, buttonLook } from "@/parts/button";
import { CommandLine } from "@/parts/command-line";
import { Empty } from "@/parts/empty";
import { SelectField, TextArea, TextField } from "@/parts/field";
import { Keys } from "@/parts/key";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useRole } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { NotAllowed } from "@/shell/not-allowed";
import { AttemptRows } from "./attempt-rows";
import { CheckRows } from "./check-rows";
import { commandOf, type Draft, requestOf, wrongWith } from "./draft";
import { LIMITS } from "./limits";
import { keepUnsent, remember } from "./remembered";
import { StrategyChoice } from "./strategy-choice";
import { useDraft, type Writing } from "./use-draft";

export default function NewRunPage() {
  return (
    <Page title="New run">
      <WhoeverMay />
    </Page>
  );
}

/** The form, where a run may be asked for; who may, and when, where not. */
function WhoeverMay() {
  const { asOf, leave } = useReplay();
  const allows = useRole();
  if (asOf !== undefined) {
    return (
      <Empty title="No run begins in the past" action={<Button onClick={leave}>Back to now</Button>}>
        The page shows an earlier moment. A run is started now.
      </Empty>
    );
  }
  if (allows === undefined) return <SkeletonRows rows={5} />;
  if (allows("run")) return <NewRunForm />;
  const runs = (
    <Link to="/" className={buttonLook()}>
      To the runs
    </Link>
  );
  return <NotAllowed title="Operators start runs" action={runs} />;
}

function NewRunForm() {
  const { draft, standing, set: write, discard } = useDraft();
  const [isAsked, setAsked] = useState(false);
  const navigate = useNavigate();
  // The same key until something changes: a lost answer does not start a second run.
  const key = useRef(freshKey());
  const asking = useMutation({
    mutationFn: () => command("POST", "/runs", requestOf(draft), { key: key.current }),
    onSuccess: ({ run }) => {
      remember(draft);
      keepUnsent(undefined);
      void navigate({ to: "/runs/$run", params: { run }, search: {} });
    },
  });
  const wrong = isAsked ? wrongWith(draft) : {};
  const set = (change: Partial<Draft>) => {
    key.current = freshKey();
    write(change);
  };
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    setAsked(true);
    if (Object.keys(wrongWith(draft)).length === 0) asking.mutate();
    else requestAnimationFrame(() => document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  const total = draft.attempts.reduce((sum, attempt) => sum + attempt.count, 0);
  return (
    <form
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
      }}
      noValidate
      className="mx-auto flex max-w-3xl flex-col gap-6 p-4 pb-10 md:p-6"
    >
      <TextArea
        label="Task"
        rows={6}
        autoFocus
        placeholder="What the agents are to do, as you would tell a colleague. All get the same text."
        value={draft.prompt}
        error={wrong.prompt}
        onChange={(event) => set({ prompt: event.target.value })}
      />
      <WhereFields draft={draft} wrong={wrong} set={set} />
      <AttemptRows attempts={draft.attempts} wrong={wrong} onChange={(attempts) => set({ attempts })} />
      <CheckRows checks={draft.checks} error={wrong.checks} onChange={(checks) => set({ checks })} />
      <StrategyChoice value={draft.strategy} onChange={(strategy) => set({ strategy })} />
      <LimitFields draft={draft} wrong={wrong} set={set} />
      {asking.isError && <ProblemNotice error={asking.error} />}
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" look="primary" disabled={asking.isPending}>
          {asking.isPending ? "Starting…" : `Start ${plural(total, "attempt")}`}
        </Button>
        <span className="max-md:hidden">
          <Keys keys="mod+Enter" />
        </span>
        <Kept
          standing={standing}
          onDiscard={() => {
            discard();
            setAsked(false);
            asking.reset();
          }}
        />
      </div>
      <div>
        <p className="mb-1 text-faint text-sm">The same on the command line:</p>
        <CommandLine command={commandOf(draft)} />
      </div>
    </form>
  );
}

/** Whether what is written survives a reload, and the way to begin anew. */
function Kept({ standing, onDiscard }: { standing: Writing["standing"]; onDiscard: () => void }) {
  const [isSure, setSure] = useState(false);
  useEffect(() => {
    if (standing === undefined) setSure(false);
  }, [standing]);
  if (standing === undefined) return null;
  return (
    <span className="ml-auto flex flex-wrap items-center justify-end gap-x-3 gap-y-1">
      <span role="status" className={standing === "kept" ? "text-faint" : "text-warn"}>
        {standing === "kept" ? "Draft kept in this browser" : "This browser cannot keep it: it is lost when you leave"}
      </span>
      <Button
        look={isSure ? "danger" : "quiet"}
        onClick={() => (isSure ? onDiscard() : setSure(true))}
        onBlur={() => setSure(false)}
      >
        {isSure ? "Really discard" : "Discard draft"}
      </Button>
    </span>
  );
}

type FieldsProps = { draft: Draft; wrong: Partial<Record<string, string>>; set: (change: Partial<Draft>) => void };

function WhereFields({ draft, wrong, set }: FieldsProps) {
  const { data } = useView("/runs", { limit: 50 }, { timeless: true });
  const known = [...new Set(data?.rows.map((row) => row.repository))];
  return (
    <div className="grid gap-4 sm:grid-cols-[1fr_12rem_12rem]">
      <TextField
        label="Repository"
        list="known-repositories"
        spellCheck={false}
        placeholder="/home/me/project"
        value={draft.repository}
        error={wrong.repository}
        onChange={(event) => set({ repository: event.target.value })}
      />
      <datalist id="known-repositories">
        {known.map((path) => (
          <option key={path} value={path} />
        ))}
      </datalist>
      <TextField
        label="Base"
        spellCheck={false}
        placeholder="what is checked out"
        value={draft.base}
        onChange={(event) => set({ base: event.target.value })}
      />
      <SelectField
        label="Uncommitted changes"
        value={draft.uncommitted}
        onChange={(event) => set({ uncommitted: event.target.value as Draft["uncommitted"] })}
      >
        <option value="refuse">refuse, and say so</option>
        <option value="ignore">leave out</option>
        <option value="include">include</option>
      </SelectField>
    </div>
  );
}

function LimitFields({ draft, wrong, set }: FieldsProps) {
  const isWrong = LIMITS.some(({ name }) => wrong[name]);
  return (
    <details open={isWrong || undefined} className="rounded-md border border-line px-3 py-2">
      <summary className="font-medium text-soft">
        Setup and limits
        <span className="ml-2 font-normal text-faint">
          {draft.agentTime} per agent, {draft.checkTime} per check, {draft.memory} GiB
        </span>
      </summary>
      <div className="mt-3 grid gap-4 pb-1 sm:grid-cols-4">
        <TextField
          className="sm:col-span-4"
          label="Setup command"
          spellCheck={false}
          placeholder="npm ci"
          hint="Run in each sandbox before the agent; a failure fails the attempt."
          value={draft.setup}
          onChange={(event) => set({ setup: event.target.value })}
        />
        {LIMITS.map(({ name, label, kind }) => (
          <TextField
            key={name}
            label={label}
            inputMode={kind === "time" ? "text" : "decimal"}
            value={draft[name]}
            error={wrong[name]}
            onChange={(event) => set({ [name]: event.target.value })}
          />
        ))}
      </div>
    </details>
  );
}
