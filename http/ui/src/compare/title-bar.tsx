// The head of the page: the task, the run, and the switches that all columns follow.
import { Link } from "@tanstack/react-router";
import {
  Activity,
  Braces,
  Columns3,
  Combine,
  EyeOff,
  Grid2x2,
  Link2,
  Link2Off,
  OctagonX,
  ScrollText,
  Square,
} from "lucide-react";
import type { Comparison, RunView } from "@/api/types";
import { actorName } from "@/format/actor";
import { moment } from "@/format/time";
import { Button, buttonLook, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { RunStateBadge } from "@/runs/run-state";
import { printsJson } from "./output/words";
import { useSlotName } from "./slot-name";
import { type Body, blindSwitch, type CompareChange, type CompareState, type Layout } from "./state";

type Props = {
  comparison: Comparison;
  view: RunView | undefined;
  state: CompareState;
  body: Body;
  onChange: (change: CompareChange) => void;
  onCancel: () => void;
  onTask: () => void;
  maySynthesize: boolean;
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

export function TitleBar({ comparison, view, state, body, onChange, onCancel, onTask, maySynthesize }: Props) {
  return (
    <header className="shrink-0 border-line border-b bg-surface">
      <div className="flex min-w-0 items-center gap-3 px-4 pt-2">
        <h1 className="min-w-0 truncate font-semibold text-lg" title={comparison.title}>
          <bdi>{comparison.title}</bdi>
        </h1>
        <span className="ml-auto flex shrink-0 items-center gap-1">
          <Button size="small" look="quiet" title="the whole task, checks, limits, verdicts (t)" onClick={onTask}>
            <ScrollText size={13} aria-hidden /> <span className="max-sm:sr-only">Task</span>
          </Button>
          <Link to="/runs/$run/timeline" params={{ run: comparison.run }} className={buttonLook("quiet", "small")}>
            <Activity size={13} aria-hidden /> <span className="max-sm:sr-only">Timeline</span>
          </Link>
          {view?.row.can.includes("cancel") && (
            <Button size="small" look="danger" onClick={onCancel}>
              <OctagonX size={13} aria-hidden /> Stop
            </Button>
          )}
        </span>
      </div>
      <RunFacts comparison={comparison} view={view} />
      <WhyNot view={view} />
      <div className="flex min-w-0 items-center gap-1 overflow-x-auto px-3 pb-1 max-md:px-2">
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
                "h-8 whitespace-nowrap border-b-2 px-3 max-md:h-10 max-md:px-2",
                known === body ? "border-accent font-medium" : "border-transparent text-soft hover:text-text",
              )}
            >
              {name}
            </button>
          ))}
        </div>
        <span className="ml-auto flex shrink-0 items-center gap-1">
          <Switches
            comparison={comparison}
            state={state}
            body={body}
            maySynthesize={maySynthesize}
            onChange={onChange}
          />
        </span>
      </div>
    </header>
  );
}

/** Why a run came to nothing, or to less than was wanted: what a badge alone does not say. */
function WhyNot({ view }: { view: RunView | undefined }) {
  const outcome = view?.outcome;
  if (!outcome || typeof outcome === "string") return null;
  const why = "failed" in outcome ? outcome.failed.reason : "undelivered" in outcome ? outcome.undelivered.reason : "";
  if (!why) return null;
  return (
    <p role="note" className="mx-4 my-1 rounded-md bg-warn-wash px-3 py-1.5 text-warn [overflow-wrap:anywhere]">
      {"failed" in outcome ? "It could not be prepared: " : "The branch could not be made: "}
      {why}
    </p>
  );
}

function RunFacts({ comparison, view }: { comparison: Comparison; view: RunView | undefined }) {
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
      {view && (
        <span className="max-md:hidden" title={view.row.repository}>
          {view.row.repository}
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
              {verdict.judge === "human" ? actorName(verdict.by) : "checks"}
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

type SwitchesProps = Pick<Props, "comparison" | "state" | "body" | "maySynthesize" | "onChange">;

function Switches({ comparison, state, body, maySynthesize, onChange }: SwitchesProps) {
  const hasColumns = body !== "files" && body !== "ab";
  return (
    <>
      {(body === "diff" || body === "output") && (
        <Button
          size="small"
          look={state.isLoose ? "quiet" : "plain"}
          className="max-md:hidden"
          aria-pressed={!state.isLoose}
          title={`columns scroll together: ${body === "diff" ? "the same place of the same file" : "all by as much"} (y)`}
          onClick={() => onChange({ isLoose: !state.isLoose })}
        >
          {state.isLoose ? <Link2Off size={13} aria-hidden /> : <Link2 size={13} aria-hidden />} Together
        </Button>
      )}
      {body === "output" && !comparison.blind && comparison.columns.some(printsJson) && (
        <Button
          size="small"
          look={state.isRaw ? "plain" : "quiet"}
          className="max-md:hidden"
          aria-pressed={state.isRaw}
          title="as it was printed: JSON, where agents print that (r)"
          onClick={() => onChange({ isRaw: !state.isRaw })}
        >
          <Braces size={13} aria-hidden /> Raw
        </Button>
      )}
      <Button
        size="small"
        look={state.isBlind ? "plain" : "quiet"}
        aria-pressed={state.isBlind}
        title="hide who is who (b)"
        onClick={() => onChange(blindSwitch(state, body))}
      >
        <EyeOff size={13} aria-hidden /> <span className="max-md:sr-only">Blind</span>
      </Button>
      {maySynthesize && (
        <Button
          size="small"
          look={state.isChoosing ? "plain" : "quiet"}
          aria-pressed={state.isChoosing}
          title="choose hunks of several attempts (s)"
          onClick={() => onChange({ isChoosing: !state.isChoosing, body: state.isChoosing ? body : "diff" })}
        >
          <Combine size={13} aria-hidden /> <span className="max-md:sr-only">Synthesize</span>
          {state.chosen.length > 0 && ` ${state.chosen.length}`}
        </Button>
      )}
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
