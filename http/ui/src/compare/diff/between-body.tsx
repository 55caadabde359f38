// How what one attempt left differs from what another left.

import { ArrowLeftRight } from "lucide-react";
import type { ReactNode } from "react";
import type { Column, Slot } from "@/api/types";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button } from "@/parts/button";
import { bareField, Field } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodyNote, BodySkeleton } from "../body-note";
import { whoTries } from "../head/who-tries";
import { useSlotName } from "../slot-name";
import { DiffView } from "./diff-view";
import { type Pair, pairOf, swapped, withFrom, withTo } from "./pair";
import { usePatchBetween } from "./use-patch";

type Props = {
  columns: Column[];
  from: Slot | undefined;
  to: Slot | undefined;
  /** The attempt in focus. */
  at: Slot | undefined;
  onChange: (change: { from?: Slot; to?: Slot }) => void;
};

export default function BetweenBody({ columns, from, to, at, onChange }: Props) {
  const nameOf = useSlotName();
  const collected = columns.filter((column) => column.stat);
  const pair = pairOf(
    collected.map(({ slot }) => slot),
    { from, to, at },
  );
  const left = collected.find(({ slot }) => slot === pair?.from);
  const right = collected.find(({ slot }) => slot === pair?.to);
  const change = (next: Pair | undefined) => next && onChange(next);
  useShortcuts("One against another", [
    { keys: "w", about: "Swap the two sides", run: () => change(pair && swapped(pair)) },
  ]);
  if (!pair || !left || !right) return <BodyNote>Two attempts must have ended before they can be compared.</BodyNote>;
  return (
    <div className="flex h-full flex-col">
      <fieldset
        aria-label="Which two are compared"
        className="flex shrink-0 flex-wrap items-end gap-x-3 gap-y-2 border-line border-b bg-surface px-4 py-2"
      >
        <Choice
          label="First"
          hint={<span className="text-bad">− red: only in {nameOf(left.slot)}</span>}
          columns={columns}
          value={left.slot}
          onChange={(slot) => change(withFrom(pair, slot))}
        />
        <Button className="mb-6" title="swap the two sides (w)" onClick={() => change(swapped(pair))}>
          <ArrowLeftRight size={14} aria-hidden /> <span className="max-sm:sr-only">Swap</span>
        </Button>
        <Choice
          label="Second"
          hint={<span className="text-good">+ green: only in {nameOf(right.slot)}</span>}
          columns={columns}
          value={right.slot}
          onChange={(slot) => change(withTo(pair, slot))}
        />
      </fieldset>
      <div className="min-h-0 flex-1">
        <Between left={left} right={right} />
      </div>
    </div>
  );
}

function Between({ left, right }: { left: Column; right: Column }) {
  const nameOf = useSlotName();
  const hashes = `${left.patch?.hash ?? ""} ${right.patch?.hash ?? ""}`;
  const patch = usePatchBetween(left.attempt, right.attempt, hashes);
  const names = `${nameOf(left.slot)} and ${nameOf(right.slot)}`;
  if (patch.isError) return <ProblemNotice className="m-3" error={patch.error} onRetry={() => void patch.refetch()} />;
  if (!patch.data) return <BodySkeleton />;
  if (patch.data.length === 0) return <BodyNote>≡ {names} left exactly the same.</BodyNote>;
  return <DiffView name="between" files={patch.data} label={`What differs between ${names}`} />;
}

type ChoiceProps = {
  label: string;
  hint: ReactNode;
  columns: Column[];
  value: Slot;
  onChange: (slot: Slot) => void;
};

function Choice({ label, hint, columns, value, onChange }: ChoiceProps) {
  const nameOf = useSlotName();
  return (
    <Field label={label} hint={hint} className="min-w-0 max-sm:flex-1">
      {({ id, describedBy }) => (
        <select
          id={id}
          aria-describedby={describedBy}
          value={nameOf(value)}
          onChange={(event) => onChange(columns[event.target.selectedIndex]?.slot ?? value)}
          className={bareField("sm:w-64!")}
        >
          {columns.map((column) => (
            <option key={column.slot} value={nameOf(column.slot)} disabled={!column.stat}>
              {nameOf(column.slot)} · {whoTries(column)}
              {!column.stat && ", nothing collected"}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
