// Asks before something is done, says what will happen, and takes one line of reason.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { freshKey } from "@/api/client";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

/** As the server bounds it. */
const REASON_CHARS_MAX = 2_000;

type Props<T> = {
  title: string;
  /** What will happen, one sentence each. */
  consequences: ReactNode[];
  act: string;
  isDanger?: boolean;
  takesReason?: boolean;
  onAct: (reason: string, key: string) => Promise<T>;
  onDone?: (answer: T) => void;
  onClose: () => void;
};

export function ActDialog<T>({
  title,
  consequences,
  act,
  isDanger,
  takesReason = true,
  onAct,
  onDone,
  onClose,
}: Props<T>) {
  const [reason, setReason] = useState("");
  // One key for this dialog: pressing twice, or again after a lost answer, does it once.
  const [key] = useState(freshKey);
  const form = useId();
  const client = useQueryClient();
  const acting = useMutation({
    mutationFn: () => onAct(reason.trim(), key),
    onSuccess: async (answer) => {
      onClose();
      onDone?.(answer);
      await client.invalidateQueries({ queryKey: ["view"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    acting.mutate();
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={form} look={isDanger ? "danger" : "primary"} disabled={acting.isPending}>
            {acting.isPending ? "…" : act}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <ul className="flex flex-col gap-1.5">
          {consequences.map((consequence, index) => (
            <li key={index} className="flex gap-2">
              <span aria-hidden className="text-faint">
                →
              </span>
              <span className="min-w-0 break-words">{consequence}</span>
            </li>
          ))}
        </ul>
        {takesReason && (
          <TextField
            label="Reason"
            hint="One line, for whoever looks at this later. It may stay empty."
            autoFocus
            maxLength={REASON_CHARS_MAX}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
        {acting.isError && <ProblemNotice error={acting.error} />}
      </form>
    </Dialog>
  );
}
