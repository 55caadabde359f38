// Who tries: agent, model, sandbox, how many.
import { Plus, X } from "lucide-react";
import type { ProviderRow } from "@/api/types";
import { useView } from "@/live/use-view";
import { Button, IconButton } from "@/parts/button";
import { bareField } from "@/parts/field";
import type { DraftAttempt, Wrong } from "./draft";
import { offered, problemOf } from "./sandboxes";

const AGENTS = [
  { name: "claude", about: "Claude Code" },
  { name: "codex", about: "Codex" },
  { name: "openclaw", about: "OpenClaw" },
  { name: "command", about: "any command" },
];
const COUNT_MAX = 20;

type Props = { attempts: DraftAttempt[]; wrong: Wrong; onChange: (attempts: DraftAttempt[]) => void };

export function AttemptRows({ attempts, wrong, onChange }: Props) {
  const set = (index: number, change: Partial<DraftAttempt>) =>
    onChange(attempts.map((attempt, place) => (place === index ? { ...attempt, ...change } : attempt)));
  const { data: providers } = useView("/providers", {}, { timeless: true });
  const last = attempts.at(-1);
  const next: DraftAttempt = {
    agent: last?.agent === "claude" ? "codex" : "claude",
    command: "",
    model: "",
    sandbox: last?.sandbox ?? "local",
    count: 1,
  };
  return (
    <fieldset>
      <legend className="mb-1 font-medium text-soft">Attempts</legend>
      <ul className="flex flex-col gap-2">
        {attempts.map((attempt, index) => (
          <li key={index}>
            <AttemptRow
              attempt={attempt}
              providers={providers}
              number={index + 1}
              isWrong={wrong[`attempt${index}`] !== undefined}
              onChange={(change) => set(index, change)}
              onRemove={
                attempts.length > 1 ? () => onChange(attempts.filter((_, place) => place !== index)) : undefined
              }
            />
            {wrong[`attempt${index}`] && <p className="mt-1 text-bad text-sm">{wrong[`attempt${index}`]}</p>}
            {problemOf(providers, attempt.sandbox) && (
              <p className="mt-1 text-warn text-sm">{problemOf(providers, attempt.sandbox)}</p>
            )}
          </li>
        ))}
      </ul>
      {wrong.attempts && <p className="mt-1 text-bad text-sm">{wrong.attempts}</p>}
      <Button size="small" look="quiet" className="mt-2" onClick={() => onChange([...attempts, next])}>
        <Plus size={13} aria-hidden /> Add an attempt
      </Button>
    </fieldset>
  );
}

type RowProps = {
  attempt: DraftAttempt;
  providers: ProviderRow[] | undefined;
  number: number;
  isWrong: boolean;
  onChange: (change: Partial<DraftAttempt>) => void;
  onRemove: (() => void) | undefined;
};

function AttemptRow({ attempt, providers, number, isWrong, onChange, onRemove }: RowProps) {
  const isCommand = attempt.agent === "command";
  // One of OpenClaw's agents, which has a model of its own.
  const model = attempt.agent === "openclaw" ? "agent" : "model";
  return (
    <div className="flex flex-wrap gap-2">
      <select
        aria-label={`Agent of attempt ${number}`}
        value={attempt.agent}
        onChange={(event) => onChange({ agent: event.target.value })}
        className={bareField("max-w-36")}
      >
        {AGENTS.map(({ name, about }) => (
          <option key={name} value={name}>
            {about}
          </option>
        ))}
      </select>
      {isCommand ? (
        <input
          aria-label={`Command of attempt ${number}`}
          aria-invalid={isWrong}
          placeholder="./my-agent.sh"
          value={attempt.command}
          onChange={(event) => onChange({ command: event.target.value })}
          className={bareField("code min-w-40 flex-1 sm:w-auto")}
        />
      ) : (
        <input
          aria-label={`${model === "agent" ? "OpenClaw agent" : "Model"} of attempt ${number}`}
          placeholder={`its default ${model}`}
          value={attempt.model}
          onChange={(event) => onChange({ model: event.target.value })}
          className={bareField("min-w-40 flex-1 sm:w-auto")}
        />
      )}
      <select
        aria-label={`Sandbox of attempt ${number}`}
        value={attempt.sandbox}
        onChange={(event) => onChange({ sandbox: event.target.value })}
        className={bareField("max-w-36")}
      >
        {offered(providers, attempt.sandbox).map(({ name, about }) => (
          <option key={name} value={name}>
            {about}
          </option>
        ))}
      </select>
      <span className="flex items-center gap-1">
        <span aria-hidden className="text-faint">
          ×
        </span>
        <input
          aria-label={`How many times attempt ${number}`}
          type="number"
          min={1}
          max={COUNT_MAX}
          value={attempt.count}
          onChange={(event) =>
            onChange({ count: Math.min(COUNT_MAX, Math.max(1, Math.trunc(event.target.valueAsNumber) || 1)) })
          }
          className={bareField("w-14!")}
        />
      </span>
      {onRemove && (
        <IconButton label={`Remove attempt ${number}`} icon={<X size={14} aria-hidden />} onClick={onRemove} />
      )}
    </div>
  );
}
