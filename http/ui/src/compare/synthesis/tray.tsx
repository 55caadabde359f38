// The hunks chosen for a synthesis: by file, with their attempts, whether they fit, and the button that makes it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Combine, X } from "lucide-react";
import { useState } from "react";
import { command, freshKey } from "@/api/client";
import type { Slot } from "@/api/types";
import { plural } from "@/format/numbers";
import { Button, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { bareField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { PathText } from "../diff/diff-row";
import { useSlotName } from "../slot-name";
import { byFile, type ChosenFile, type ChosenHunk, wireHunks } from "./chosen";
import { useDryRun } from "./use-dry-run";

type Props = {
  run: string;
  chosen: ChosenHunk[];
  onChange: (chosen: ChosenHunk[]) => void;
  onClose: () => void;
  onMade: (slot: Slot | null) => void;
};

export default function Tray({ run, chosen, onChange, onClose, onMade }: Props) {
  const dryRun = useDryRun(run, chosen);
  const conflicts = dryRun.data?.conflicts ?? [];
  const nameOf = useSlotName();
  const reasons = new Map(conflicts.map((conflict) => [conflict.path, conflict.reason]));
  return (
    <section aria-label="Synthesis" className="flex max-h-[45%] shrink-0 flex-col border-accent border-t-2 bg-surface">
      <header className="flex flex-wrap items-center gap-2 whitespace-nowrap px-4 py-2 max-sm:px-3">
        <Combine size={15} aria-hidden className="text-accent" />
        <h2 className="font-semibold">Synthesis</h2>
        <span className="text-faint">{chosen.length === 0 ? "nothing chosen yet" : plural(chosen.length, "hunk")}</span>
        <Fit
          isAsking={dryRun.isFetching}
          isEmpty={chosen.length === 0}
          conflicts={conflicts.length}
          isKnown={dryRun.isSuccess}
        />
        <span className="ml-auto flex gap-1">
          {chosen.length > 0 && (
            <Button size="small" look="quiet" onClick={() => onChange([])}>
              Choose none
            </Button>
          )}
          <IconButton size="small" label="Close the synthesis" icon={<X size={14} aria-hidden />} onClick={onClose} />
        </span>
      </header>
      {chosen.length === 0 ? (
        <p className="px-4 pb-4 text-soft">
          Look at the diffs and take the hunks you want with <span className="font-medium">take</span>. They become one
          more attempt of this run: its checks run, and it can be picked like any other.
        </p>
      ) : (
        <>
          <ul className="min-h-0 flex-1 overflow-y-auto px-4">
            {byFile(chosen, nameOf).map((file) => (
              <File
                key={file.path}
                file={file}
                conflict={reasons.get(file.path)}
                onRemove={(gone) => onChange(chosen.filter((hunk) => hunk !== gone))}
              />
            ))}
          </ul>
          {dryRun.isError && (
            <ProblemNotice className="mx-4 my-2" error={dryRun.error} onRetry={() => void dryRun.refetch()} />
          )}
          <Make run={run} chosen={chosen} isBlocked={conflicts.length > 0} onMade={onMade} />
        </>
      )}
    </section>
  );
}

function hunkName({ hunk }: ChosenHunk): string {
  return hunk === undefined ? "whole file" : `hunk ${hunk + 1}`;
}

type FitProps = { isAsking: boolean; isEmpty: boolean; conflicts: number; isKnown: boolean };

function Fit({ isAsking, isEmpty, conflicts, isKnown }: FitProps) {
  if (isEmpty) return null;
  if (isAsking) return <span className="text-faint">… trying</span>;
  if (!isKnown) return null;
  return conflicts === 0 ? (
    <span className="text-good">✓ fits together</span>
  ) : (
    <span className="text-bad">✗ {plural(conflicts, "conflict")}</span>
  );
}

function File({
  file,
  conflict,
  onRemove,
}: {
  file: ChosenFile;
  conflict: string | undefined;
  onRemove: (hunk: ChosenHunk) => void;
}) {
  const nameOf = useSlotName();
  return (
    <li className={classes("flex flex-wrap items-center gap-2 border-line border-t py-1.5", conflict && "text-bad")}>
      <span className="min-w-0 font-mono text-code">
        <PathText path={file.path} />
      </span>
      {conflict && <span className="text-sm">✗ {conflict}; leave one out</span>}
      <span className="ml-auto flex flex-wrap gap-1">
        {file.hunks.map((hunk) => (
          <button
            key={`${hunk.slot}${hunk.hunk ?? "w"}`}
            type="button"
            onClick={() => onRemove(hunk)}
            aria-label={`Take ${hunkName(hunk)} of ${nameOf(hunk.slot)} out`}
            className="flex h-6 max-md:h-10 items-center gap-1 rounded-sm border border-line-strong px-1.5 text-sm hover:border-bad hover:text-bad"
          >
            <span className="font-semibold">{nameOf(hunk.slot)}</span> {hunkName(hunk)} <X size={11} aria-hidden />
          </button>
        ))}
      </span>
    </li>
  );
}

function Make({
  run,
  chosen,
  isBlocked,
  onMade,
}: {
  run: string;
  chosen: ChosenHunk[];
  isBlocked: boolean;
  onMade: (slot: Slot | null) => void;
}) {
  const [reason, setReason] = useState("");
  const client = useQueryClient();
  const making = useMutation({
    mutationFn: (key: string) =>
      command("POST", `/runs/${run}/synthesize`, { hunks: wireHunks(chosen), reason: reason.trim() }, { key }),
    onSuccess: async ({ slot }) => {
      onMade(slot);
      await client.invalidateQueries({ queryKey: ["view"] });
    },
  });
  return (
    <div className="border-line border-t px-4 py-2">
      {making.isError && <ProblemNotice className="mb-2" error={making.error} />}
      <form
        className="flex items-center gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate(freshKey());
        }}
      >
        <input
          aria-label="Reason"
          placeholder="Reason (optional)"
          value={reason}
          maxLength={2_000}
          onChange={(event) => setReason(event.target.value)}
          className={bareField("min-w-0")}
        />
        <Button type="submit" look="primary" disabled={isBlocked || making.isPending}>
          {making.isPending ? "Making it…" : "Make the attempt"}
        </Button>
      </form>
    </div>
  );
}
