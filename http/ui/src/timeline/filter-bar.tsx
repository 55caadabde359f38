// Which events are shown: always visible, always in the address.
import { Pause, Play } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";
import { bareField } from "@/parts/field";
import { FAMILIES, RUN_FAMILIES, type TimelineFilter, toggled } from "./filter";
import type { Query } from "./use-query";

type Props = {
  filter: TimelineFilter;
  onChange: (query: Query) => void;
  isNarrow: boolean;
  /** Not the page of one run. */
  isAnyRun: boolean;
  /** Absent where there is nothing to follow: in the past. */
  follow: { isOn: boolean; set: (isOn: boolean) => void } | undefined;
  children?: React.ReactNode;
};

export function FilterBar({ filter, onChange, isNarrow, isAnyRun, follow, children }: Props) {
  const families = isAnyRun ? FAMILIES : RUN_FAMILIES;
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-2 border-line border-b bg-surface px-4 py-2">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot stand in this row. */}
      <div role="group" aria-label="Kinds of events" className="flex flex-wrap gap-1">
        {families.map((family) => (
          <Chip
            key={family}
            word={family}
            isOn={filter.kinds.includes(family)}
            onToggle={() => onChange({ kind: toggled(filter.kinds, family).join(",") })}
          />
        ))}
        {filter.kinds
          .filter((kind) => !families.some((family) => family === kind))
          .map((kind) => (
            <Chip
              key={kind}
              word={kind}
              isOn
              onToggle={() => onChange({ kind: toggled(filter.kinds, kind).join(",") })}
            />
          ))}
      </div>
      <TypedField
        label="Actor"
        placeholder="who, as user:you"
        value={filter.actor}
        onTyped={(actor) => onChange({ actor })}
      />
      <TypedField label="Text" placeholder="text" value={filter.text} onTyped={(text) => onChange({ text })} />
      {isAnyRun && filter.run !== "" && <Chip word={`run ${filter.run}`} isOn onToggle={() => onChange({ run: "" })} />}
      {filter.attempt !== "" && (
        <Chip word={`attempt ${filter.attempt}`} isOn onToggle={() => onChange({ attempt: "" })} />
      )}
      {isNarrow && (
        <Button
          size="small"
          look="quiet"
          onClick={() => onChange({ kind: "", actor: "", text: "", attempt: "", run: "" })}
        >
          Show everything
        </Button>
      )}
      <span className="ml-auto flex items-center gap-2">
        {follow && (
          <Button size="small" aria-pressed={follow.isOn} onClick={() => follow.set(!follow.isOn)}>
            {follow.isOn ? <Pause size={13} aria-hidden /> : <Play size={13} aria-hidden />}
            {follow.isOn ? "Pause" : "Follow"}
          </Button>
        )}
        {children}
      </span>
    </div>
  );
}

function Chip({ word, isOn, onToggle }: { word: string; isOn: boolean; onToggle: () => void }) {
  return (
    <button
      type="button"
      aria-pressed={isOn}
      onClick={onToggle}
      className={classes(
        "h-6 rounded-md border px-2 text-sm max-md:h-10 max-md:min-w-10",
        isOn
          ? "border-accent bg-accent-wash text-text"
          : "border-line-strong text-soft hover:bg-raised hover:text-text",
      )}
    >
      {word}
      {isOn && <span aria-hidden> ×</span>}
    </button>
  );
}

type TypedProps = {
  label: string;
  placeholder: string;
  value: string;
  onTyped: (text: string) => void;
};

/** Asks the server once typing pauses. */
function TypedField({ label, placeholder, value, onTyped }: TypedProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onTyped(text), 250);
    return () => clearTimeout(timer);
  }, [text, value, onTyped]);
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => setText(event.target.value)}
      className={bareField("md:!h-6 !w-36 max-sm:!w-28 max-sm:flex-1")}
    />
  );
}
