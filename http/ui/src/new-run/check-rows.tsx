// Commands whose exit codes are evidence.
import { Plus, X } from "lucide-react";
import { Button, IconButton } from "@/parts/button";
import { bareField } from "@/parts/field";
import type { DraftCheck } from "./draft";

type Props = { checks: DraftCheck[]; error: string | undefined; onChange: (checks: DraftCheck[]) => void };

export function CheckRows({ checks, error, onChange }: Props) {
  const set = (index: number, change: Partial<DraftCheck>) =>
    onChange(checks.map((check, place) => (place === index ? { ...check, ...change } : check)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium text-soft">Checks</legend>
      <ul className="flex flex-col gap-2">
        {checks.map((check, index) => (
          <li key={index} className="flex gap-2">
            <input
              aria-label={`Name of check ${index + 1}`}
              placeholder="name"
              value={check.name}
              onChange={(event) => set(index, { name: event.target.value })}
              className={bareField("max-w-32")}
            />
            <input
              aria-label={`Command of check ${index + 1}`}
              placeholder="make test"
              value={check.command}
              onChange={(event) => set(index, { command: event.target.value })}
              className={bareField("code min-w-0 flex-1")}
            />
            <IconButton
              label={`Remove check ${index + 1}`}
              icon={<X size={14} aria-hidden />}
              onClick={() => onChange(checks.filter((_, place) => place !== index))}
            />
          </li>
        ))}
      </ul>
      <p className={error ? "mt-1 text-bad text-sm" : "mt-1 text-faint text-sm"}>
        {error ??
          "Run by Regatta in each sandbox after the agent. Exit code 0 means passed. Without checks, whatever changes something passes."}
      </p>
      <Button
        size="small"
        look="quiet"
        className="mt-1"
        onClick={() => onChange([...checks, { name: checks.length === 0 ? "tests" : "", command: "" }])}
      >
        <Plus size={13} aria-hidden /> Add a check
      </Button>
    </fieldset>
  );
}
