// How what one attempt left differs from what another left.
import type { Column, Slot } from "@/api/types";
import { bareField, Field } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodyNote, BodySkeleton } from "../body-note";
import { whoTries } from "../head/who-tries";
import { useSlotName } from "../slot-name";
import { DiffView } from "./diff-view";
import { usePatchBetween } from "./use-patch";

type Props = {
  columns: Column[];
  from: Slot | undefined;
  to: Slot | undefined;
  onChange: (change: { from?: Slot; to?: Slot }) => void;
};

export default function BetweenBody({ columns, from, to, onChange }: Props) {
  const nameOf = useSlotName();
  const collected = columns.filter((column) => column.stat);
  const left = collected.find((column) => column.slot === from) ?? collected[0];
  const right = collected.find((column) => column.slot === to) ?? collected.find((column) => column !== left);
  if (!left || !right) return <BodyNote>Two attempts must have ended before they can be compared.</BodyNote>;
  return (
    <div className="flex h-full flex-col">
      <div className="flex shrink-0 flex-wrap items-end gap-3 border-line border-b bg-surface px-4 py-2">
        <Choice
          label="From"
          columns={collected}
          value={left.slot}
          onChange={(slot) => onChange({ from: slot, to: right.slot })}
        />
        <Choice
          label="To"
          columns={collected}
          value={right.slot}
          onChange={(slot) => onChange({ from: left.slot, to: slot })}
        />
        <p className="pb-1.5 text-faint">
          Green is in {nameOf(right.slot)} only, red is in {nameOf(left.slot)} only.
        </p>
      </div>
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
  if (left.slot === right.slot) return <BodyNote>Choose two different attempts.</BodyNote>;
  if (patch.isError) return <ProblemNotice className="m-3" error={patch.error} onRetry={() => void patch.refetch()} />;
  if (!patch.data) return <BodySkeleton />;
  if (patch.data.length === 0) return <BodyNote>≡ {names} left exactly the same.</BodyNote>;
  return <DiffView name="between" files={patch.data} label={`What differs between ${names}`} />;
}

function Choice({
  label,
  columns,
  value,
  onChange,
}: {
  label: string;
  columns: Column[];
  value: Slot;
  onChange: (slot: Slot) => void;
}) {
  const nameOf = useSlotName();
  return (
    <Field label={label}>
      {({ id }) => (
        <select
          id={id}
          value={nameOf(value)}
          onChange={(event) => onChange(columns[event.target.selectedIndex]?.slot ?? value)}
          className={bareField("min-w-40")}
        >
          {columns.map((column) => (
            <option key={column.slot} value={nameOf(column.slot)}>
              {nameOf(column.slot)} · {whoTries(column)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
