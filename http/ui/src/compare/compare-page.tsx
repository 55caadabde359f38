// The heart: the attempts of one run side by side, and everything a person decides about them.

import { useParams } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import type { Can, Comparison, RunView, Slot } from "@/api/types";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { codeOf } from "@/live/code";
import { useView } from "@/live/use-view";
import { useMay } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { RunProblem } from "@/runs/run-problem";
import { setTitle } from "@/shell/title";
import { BodySkeleton } from "./body-note";
import { Columns } from "./columns";
import { CompareSkeleton } from "./compare-skeleton";
import type { HeadActions } from "./head/column-head";
import { whoTries } from "./head/who-tries";
import { useMergePreview } from "./merge/merge-preview";
import { printsJson } from "./output/words";
import { type Decision, DecisionDialog } from "./pick/decisions";
import { RevealNotice, type Vote } from "./pick/reveal-notice";
import { fromAddress, namesIn, SlotNames, toAddress } from "./slot-name";
import {
  type Body,
  blindSwitch,
  type CompareChange,
  type CompareState,
  LAYOUTS,
  NOBODY,
  useCompareState,
} from "./state";
import { TaskDialog } from "./task-dialog";
import { TitleBar } from "./title-bar";

const FilesMatrix = lazy(() => codeOf(() => import("./files/files-matrix")));
const BetweenBody = lazy(() => codeOf(() => import("./diff/between-body")));
const Tray = lazy(() => codeOf(() => import("./synthesis/tray")));

export default function ComparePage() {
  const { run } = useParams({ strict: false }) as { run: string };
  const [state, change] = useCompareState();
  const { asOf } = useReplay();
  // Kept here: the comparison is read anew when its names are shown.
  const [vote, setVote] = useState<Vote>();
  const compare = useView(`/runs/${run}/compare`, { blind: state.isBlind || undefined });
  const view = useView(`/runs/${run}`);
  const title = compare.data?.title;
  useEffect(() => {
    setTitle(title ? `${title} · Regatta` : "Compare · Regatta");
  }, [title]);
  if (compare.isError && !compare.data) {
    return <RunProblem run={run} error={compare.error} onRetry={() => void compare.refetch()} />;
  }
  const comparison = asOf === undefined || !compare.data ? compare.data : withoutActs(compare.data);
  if (!comparison) return <CompareSkeleton />;
  return (
    <Compared
      key={comparison.run}
      comparison={comparison}
      readAtMs={compare.dataUpdatedAt}
      view={asOf === undefined ? view.data : view.data && { ...view.data, row: { ...view.data.row, can: [] } }}
      state={fromAddress(state, comparison)}
      change={(changed) => change(toAddress(changed, comparison))}
      vote={vote?.run === comparison.run ? vote : undefined}
      onVote={setVote}
    />
  );
}

type Props = {
  comparison: Comparison;
  readAtMs: number;
  view: RunView | undefined;
  state: CompareState;
  change: (change: CompareChange) => void;
  vote: Vote | undefined;
  onVote: (vote: Vote | undefined) => void;
};

/** What could be done then cannot be done now: the past is looked at. */
function withoutActs(comparison: Comparison): Comparison {
  return { ...comparison, columns: comparison.columns.map((column) => ({ ...column, can: [] })) };
}

/** What is worth seeing first: output while somebody works, then what came of it; output again when nothing did. */
function firstBody(comparison: Comparison): Body {
  const { columns } = comparison;
  const isOver = columns.every((column) => column.state.name === "finished");
  return isOver && columns.some((column) => column.patch) ? "diff" : "output";
}

function Compared({ comparison, readAtMs, view, state, change, vote, onVote }: Props) {
  const { asOf } = useReplay();
  const isReplay = asOf !== undefined;
  const maySynthesize = useMay("synthesize");
  const [decision, setDecision] = useState<Decision>();
  const [isTaskOpen, setTaskOpen] = useState(false);
  const focusWhenThere = useFocusWhenThere(comparison, change);
  // What was worth seeing when the page was opened stays, until somebody chooses.
  const [first] = useState(() => firstBody(comparison));
  const body = state.body ?? first;
  const at = Math.max(
    0,
    comparison.columns.findIndex((column) => column.slot === state.at),
  );
  const merges = useMergePreview(comparison, isReplay);
  const decide = (what: "pick" | "discard" | "cancel" | "restore") => (slot: string) => setDecision({ what, slot });
  const actions: HeadActions = {
    pick: decide("pick"),
    discard: decide("discard"),
    cancel: decide("cancel"),
    restore: decide("restore"),
  };
  const nameOf = namesIn(comparison);
  useCompareKeys({
    comparison,
    body,
    at,
    state,
    change,
    decide: setDecision,
    showTask: () => setTaskOpen(true),
    maySynthesize,
  });
  return (
    <SlotNames value={nameOf}>
      <div className="flex h-full min-h-0 flex-col">
        <TitleBar
          comparison={comparison}
          view={view}
          state={state}
          body={body}
          onChange={change}
          onCancel={() => setDecision({ what: "cancel-run" })}
          onTask={() => setTaskOpen(true)}
          maySynthesize={maySynthesize}
        />
        {vote && <RevealNotice vote={vote} onClose={() => onVote(undefined)} />}
        <Suspense fallback={<BodySkeleton />}>
          {body === "files" && (
            <div className="min-h-0 flex-1">
              <FilesMatrix comparison={comparison} onShow={(slot, path) => change({ body: "diff", at: slot, path })} />
            </div>
          )}
          {body === "ab" && (
            <div className="min-h-0 flex-1">
              <BetweenBody
                columns={comparison.columns}
                from={state.from}
                to={state.to}
                at={state.at}
                onChange={change}
              />
            </div>
          )}
          {body !== "files" && body !== "ab" && (
            <Columns
              comparison={comparison}
              body={body}
              state={state}
              at={at}
              isReplay={isReplay}
              maySynthesize={maySynthesize}
              readAtMs={readAtMs}
              merges={merges.data}
              actions={actions}
              onChange={change}
            />
          )}
        </Suspense>
        <Suspense>
          {state.isChoosing && maySynthesize && (
            <Tray
              run={comparison.run}
              chosen={state.chosen}
              onChange={(chosen) => change({ chosen })}
              onClose={() => change({ isChoosing: false })}
              onMade={(slot) => {
                change({ isChoosing: false, chosen: [], body: "output" });
                focusWhenThere(slot);
              }}
            />
          )}
        </Suspense>
        {isTaskOpen && view && <TaskDialog comparison={comparison} view={view} onClose={() => setTaskOpen(false)} />}
        {decision && (
          <DecisionDialog
            decision={decision}
            comparison={comparison}
            isBlind={state.isBlind}
            isDecided={view?.verdict != null}
            onPicked={(revealed) => {
              if (!state.isBlind) return;
              if (revealed) onVote({ run: comparison.run, name: nameOf(revealed.winner), revealed });
              change({ ...NOBODY, isBlind: false });
            }}
            onClose={() => setDecision(undefined)}
          />
        )}
      </div>
    </SlotNames>
  );
}

/** Focuses an attempt once the comparison has it: what was just made is not in it yet, nor has it a name there. */
function useFocusWhenThere(
  comparison: Comparison,
  change: (change: CompareChange) => void,
): (slot: Slot | null) => void {
  const [awaited, setAwaited] = useState<Slot | null>(null);
  useEffect(() => {
    if (awaited === null || !comparison.columns.some(({ slot }) => slot === awaited)) return;
    setAwaited(null);
    change({ at: awaited });
  }, [awaited, comparison, change]);
  return setAwaited;
}

type Keys = {
  comparison: Comparison;
  body: Body;
  at: number;
  state: CompareState;
  change: (change: CompareChange) => void;
  decide: (decision: Decision) => void;
  showTask: () => void;
  maySynthesize: boolean;
};

function useCompareKeys({ comparison, body, at, state, change, decide, showTask, maySynthesize }: Keys): void {
  const { columns } = comparison;
  const nameOf = namesIn(comparison);
  const here = columns[at];
  const go = (by: number) => change({ at: columns[(at + by + columns.length) % columns.length]?.slot });
  const show = (body: Body) => () => change({ body });
  const may = (slot: string | undefined, what: Can) =>
    columns.find((column) => column.slot === slot)?.can.includes(what);
  const nextLayout = LAYOUTS[(LAYOUTS.indexOf(state.layout) + 1) % LAYOUTS.length];
  useShortcuts("Compare", [
    { keys: "ArrowLeft", about: "Attempt before", run: () => go(-1) },
    { keys: "ArrowRight", about: "Next attempt", run: () => go(1) },
    { keys: "o", about: "Output", run: show("output") },
    { keys: "d", about: "Diff against the base", run: show("diff") },
    { keys: "c", about: "Checks", run: show("checks") },
    { keys: "f", about: "Files", run: show("files") },
    { keys: "a", about: "Diff of one against another", run: show("ab") },
    { keys: "t", about: "The whole task", run: showTask },
    { keys: "y", about: "Scroll together, or each by itself", run: () => change({ isLoose: !state.isLoose }) },
    ...(!comparison.blind && columns.some(printsJson)
      ? [{ keys: "r", about: "Output as it was printed, or in words", run: () => change({ isRaw: !state.isRaw }) }]
      : []),
    { keys: "l", about: "Side by side, grid, one", run: () => change({ layout: nextLayout }) },
    {
      keys: "b",
      about: "Blind: hide who is who",
      run: () => change(blindSwitch(state, body)),
    },
    ...(maySynthesize
      ? [
          {
            keys: "s",
            about: "Synthesize from hunks",
            run: () => change({ isChoosing: !state.isChoosing, body: "diff" as const }),
          },
        ]
      : []),
    ...(here && may(here.slot, "discard")
      ? [
          {
            keys: "x",
            about: `Discard ${nameOf(here.slot)}`,
            run: () => decide({ what: "discard", slot: here.slot }),
          },
        ]
      : []),
    ...columns.slice(0, 9).flatMap((column, index) =>
      may(column.slot, "pick")
        ? [
            {
              keys: String(index + 1),
              about: `Pick ${nameOf(column.slot)}: ${whoTries(column)}`,
              run: () => decide({ what: "pick", slot: column.slot }),
            },
          ]
        : [],
    ),
  ]);
}
