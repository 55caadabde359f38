// Every attempt as a chip: those that are shown, and the rest.

import { Undo2 } from "lucide-react";
import type { Column, Slot } from "@/api/types";
import { classes } from "@/parts/classes";
import type { Tone } from "@/parts/state";
import { useMay } from "@/replay/may";
import { lookOf } from "./head/attempt-state";
import { whoTries } from "./head/who-tries";
import { useSlotName } from "./slot-name";

type Props = {
  discarded: Slot[];
  onRestore: (slot: Slot) => void;
  columns: Column[];
  shown: ReadonlySet<Slot>;
  at: Slot | undefined;
  onGo: (slot: Slot) => void;
};

const TONES: Record<Tone, string> = {
  good: "text-good",
  bad: "text-bad",
  warn: "text-warn",
  busy: "text-busy",
  calm: "text-faint",
  accent: "text-accent",
};

export function Strip({ discarded, onRestore, columns, shown, at, onGo }: Props) {
  const nameOf = useSlotName();
  const mayRestore = useMay("restore");
  return (
    <nav
      aria-label="Attempts"
      className="relative flex shrink-0 gap-1 overflow-x-auto border-line border-b bg-ground px-3 py-1.5"
    >
      {columns.map((column) => {
        const look = lookOf(column.state);
        const isShown = shown.has(column.slot);
        return (
          <button
            key={column.slot}
            type="button"
            onClick={() => onGo(column.slot)}
            aria-current={column.slot === at}
            title={`${whoTries(column)}: ${look.word}`}
            className={classes(
              "flex h-7 max-md:h-10 max-md:min-w-11 shrink-0 items-center gap-1.5 rounded-md border px-2",
              isShown ? "border-line-strong bg-surface" : "border-transparent text-soft hover:bg-raised",
              column.slot === at && "border-accent",
            )}
          >
            <span className={TONES[look.tone]} aria-hidden>
              {look.glyph}
            </span>
            <span className="font-semibold">{nameOf(column.slot)}</span>
            <span className="max-w-28 truncate max-md:hidden">{whoTries(column)}</span>
            <span className="sr-only">{look.word}</span>
          </button>
        );
      })}
      {discarded.map((slot) => (
        <button
          key={slot}
          type="button"
          disabled={!mayRestore}
          onClick={() => onRestore(slot)}
          title={mayRestore ? `${nameOf(slot)} was put aside; bring it back` : `${nameOf(slot)} was put aside`}
          className="flex h-7 max-md:h-10 max-md:min-w-11 shrink-0 items-center gap-1.5 rounded-md border border-line border-dashed px-2 text-faint enabled:hover:bg-raised"
        >
          {mayRestore && <Undo2 size={12} aria-hidden />} {nameOf(slot)} put aside
        </button>
      ))}
    </nav>
  );
}
