// The head of the page: the task, the run, and the switches that all columns follow.
import { Link } from "@tanstack/react-router";
import { Activity, Columns3, Combine, EyeOff, Grid2x2, Link2, Link2Off, OctagonX, Square } from "lucide-react";
import type { Comparison, RunRow } from "@/api/types";
import { moment } from "@/format/time";
import { Button, buttonLook, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { RunStateBadge } from "@/runs/run-state";
import { useSlotName } from "./slot-name";
import { type Body, blindSwitch, type CompareChange, type CompareState, type Layout } from "./state";

type Props = {
  comparison: Comparison;
  row: RunRow | undefined;
  state: CompareState;
  body: Body;
  onChange: (change: CompareChange) => void;
  onCancel: () => void;
};

const BODIES: { body: Body; name: string; key: string }[] = [
  { body: "output", name: "Output", key: "o" },
  { body: "diff", name: "Diff", key: "d" },
  { body: "checks", name: "Checks", key: "c" },
  { body: "files", name: "Files", key: "f" },
  { body: "ab", name: "A ↔ B", key: "a" },
];
const LAYOUTS: { layout: Layout; name: string; icon: typeof Square }[] = [
  { layout: "split", name: "Side by side", icon: Columns3 },
  { layout: "grid", name: "Grid", icon: Grid2x2 },
  { layout: "focus", name: "One at a time", icon: Square },
];

export function TitleBar({ comparison, row, state, body, onChange, onCancel }: Props) {
  return (
    <header className="shrink-0 border-line border-b bg-surface">
      <div className="flex min-w-0 items-center gap-3 px-4 pt-2">
        <h1 className="min-w-0 truncate font-semibold text-lg" title={comparison.title}>
          {comparison.title}
        </h1>
        <span className="ml-auto flex shrink-0 items-center gap-1">
          <Link to="/runs/$run/timeline" params={{ run: comparison.run }} className={buttonLook("quiet", "small")}>
            <Activity size={13} aria-hidden /> <span className="max-sm:hidden">Timeline</span>
          </Link>
          {row?.can.includes("cancel") && (
            <Button size="small" look="danger" onClick={onCancel}>
              <OctagonX size={13} aria-hidden /> Stop
            </Button>
          )}
        </span>
      </div>
      <RunFacts comparison={comparison} row={row} />
      <div className="flex min-w-0 items-center gap-1 overflow-x-auto px-3 pb-1">
        <div role="tablist" aria-label="What the columns show" className="flex">
          {BODIES.map(({ body: known, name, key }) => (
            <button
              key={known}
              type="button"
              role="tab"
              aria-selected={known === body}
              title={`key ${key}`}
              onClick={() => onChange({ body: known })}
              className={classes(
                "h-8 whitespace-nowrap border-b-2 px-3",
                known === body ? "border-accent font-medium" : "border-transparent text-soft hover:text-text",
              )}
            >
              {name}
            </button>
          ))}
        </div>
        <span className="ml-auto flex shrink-0 items-center gap-1">
          <Switches state={state} body={body} onChange={onChange} />
        </span>
      </div>
    </header>
  );
}

function RunFacts({ comparison, row }: { comparison: Comparison; row: RunRow | undefined }) {
  const { verdict } = comparison;
  const nameOf = useSlotName();
  return (
    <p className="flex min-w-0 flex-wrap items-center gap-x-3 px-4 text-faint">
      <RunStateBadge state={comparison.state} />
      <code className="font-mono text-sm">{comparison.run}</code>
      <span>
        base {comparison.base_ref}@<code className="font-mono text-sm">{comparison.base_commit.slice(0, 7)}</code>
      </span>
      <span
        title={
          { race: "the first that passes wins", best: "the smallest that passes wins", all: "a person picks" }[
            comparison.strategy
          ]
        }
      >
        {comparison.strategy}
      </span>
      {row && (
        <span className="max-md:hidden" title={row.repository}>
          {row.repository}
        </span>
      )}
      {verdict && (
        <span
          className="min-w-0 truncate text-soft"
          title={`${verdict.by}, ${moment(verdict.at_us)}, Seq ${verdict.seq}`}
        >
          {verdict.winner ? (
            <>
              <span className="font-semibold">{nameOf(verdict.winner)}</span> by{" "}
              {verdict.judge === "human" ? verdict.by.replace(/^user:/, "") : "checks"}
            </>
          ) : (
            "no winner"
          )}
          {verdict.reason && `: ${verdict.reason}`}
        </span>
      )}
    </p>
  );
}

function Switches({ state, body, onChange }: Pick<Props, "state" | "body" | "onChange">) {
  const hasColumns = body !== "files" && body !== "ab";
  return (
    <>
      {body === "diff" && (
        <IconButton
          label={state.isLoose ? "Scroll together" : "Scroll each by itself"}
          pressed={!state.isLoose}
          size="small"
          icon={state.isLoose ? <Link2Off size={14} aria-hidden /> : <Link2 size={14} aria-hidden />}
          onClick={() => onChange({ isLoose: !state.isLoose })}
        />
      )}
      <Button
        size="small"
        look={state.isBlind ? "plain" : "quiet"}
        aria-pressed={state.isBlind}
        title="hide who is who (b)"
        onClick={() => onChange(blindSwitch(state, body))}
      >
        <EyeOff size={13} aria-hidden /> Blind
      </Button>
      <Button
        size="small"
        look={state.isChoosing ? "plain" : "quiet"}
        aria-pressed={state.isChoosing}
        title="choose hunks of several attempts (s)"
        onClick={() => onChange({ isChoosing: !state.isChoosing, body: state.isChoosing ? body : "diff" })}
      >
        <Combine size={13} aria-hidden /> Synthesize{state.chosen.length > 0 && ` ${state.chosen.length}`}
      </Button>
      {hasColumns && (
        <span className="flex max-md:hidden">
          {LAYOUTS.map(({ layout, name, icon: Icon }) => (
            <IconButton
              key={layout}
              size="small"
              label={name}
              pressed={state.layout === layout}
              icon={<Icon size={14} aria-hidden />}
              onClick={() => onChange({ layout })}
            />
          ))}
        </span>
      )}
    </>
  );
}
