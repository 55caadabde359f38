// The heart: the attempts of one run side by side, and everything a person decides about them.
import { useParams } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import type { Comparison, RunRow } from "@/api/types";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { useView } from "@/live/use-view";
import { ProblemNotice } from "@/parts/problem-notice";
import { useReplay } from "@/replay/replay";
import { BodySkeleton } from "./body-note";
import { Columns } from "./columns";
import { CompareSkeleton } from "./compare-skeleton";
import { type HeadActions, whoTries } from "./head/column-head";
import { useMergePreview } from "./merge/merge-preview";
import { type Decision, DecisionDialog } from "./pick/decisions";
import { namesIn, SlotNames } from "./slot-name";
import { type Body, blindSwitch, type CompareChange, type CompareState, LAYOUTS, useCompareState } from "./state";
import { TitleBar } from "./title-bar";

const FilesMatrix = lazy(() => import("./files/files-matrix"));
const BetweenBody = lazy(() => import("./diff/between-body"));
const Tray = lazy(() => import("./synthesis/tray"));

type RunView = { row: RunRow };

export default function ComparePage() {
  const { run } = useParams({ strict: false }) as { run: string };
  const [state, change] = useCompareState();
  const compare = useView<Comparison>(`/runs/${run}/compare`, { blind: state.isBlind || undefined });
  const view = useView<RunView>(`/runs/${run}`);
  const title = compare.data?.title;
  useEffect(() => {
    document.title = title ? `${title} · Regatta` : "Compare · Regatta";
  }, [title]);
  if (compare.isError && !compare.data) {
    return <ProblemNotice className="m-4" error={compare.error} onRetry={() => void compare.refetch()} />;
  }
  if (!compare.data) return <CompareSkeleton />;
  return (
    <Compared
      key={compare.data.run}
      comparison={compare.data}
      readAtMs={compare.dataUpdatedAt}
      row={view.data?.row}
      state={state}
      change={change}
    />
  );
}

type Props = {
  comparison: Comparison;
  readAtMs: number;
  row: RunRow | undefined;
  state: CompareState;
  change: (change: CompareChange) => void;
};

/** What is worth seeing first: output while somebody works, then what came of it. */
function firstBody(comparison: Comparison): Body {
  const { columns } = comparison;
  // Right after it was asked for, a run has no attempts yet.
  return columns.length > 0 && columns.every((column) => column.state.name === "finished") ? "diff" : "output";
}

function Compared({ comparison, readAtMs, row, state, change }: Props) {
  const { asOf } = useReplay();
  const isReplay = asOf !== undefined;
  const [decision, setDecision] = useState<Decision>();
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
  useCompareKeys({ comparison, body, at, state, change, decide: setDecision });
  return (
    <SlotNames value={nameOf}>
      <div className="flex h-full min-h-0 flex-col">
        <TitleBar
          comparison={comparison}
          row={row}
          state={state}
          body={body}
          onChange={change}
          onCancel={() => setDecision({ what: "cancel-run" })}
        />
        <Suspense fallback={<BodySkeleton />}>
          {body === "files" && (
            <div className="min-h-0 flex-1">
              <FilesMatrix comparison={comparison} onShow={(slot, path) => change({ body: "diff", at: slot, path })} />
            </div>
          )}
          {body === "ab" && (
            <div className="min-h-0 flex-1">
              <BetweenBody columns={comparison.columns} from={state.from} to={state.to} onChange={change} />
            </div>
          )}
          {body !== "files" && body !== "ab" && (
            <Columns
              comparison={comparison}
              body={body}
              state={state}
              at={at}
              isReplay={isReplay}
              readAtMs={readAtMs}
              merges={merges.data}
              actions={actions}
              onChange={change}
            />
          )}
        </Suspense>
        <Suspense>
          {state.isChoosing && (
            <Tray
              run={comparison.run}
              chosen={state.chosen}
              onChange={(chosen) => change({ chosen })}
              onClose={() => change({ isChoosing: false })}
              onMade={() => change({ isChoosing: false, chosen: [], body: "output" })}
            />
          )}
        </Suspense>
        {decision && (
          <DecisionDialog
            decision={decision}
            comparison={comparison}
            isBlind={state.isBlind}
            onPicked={() => change({ isBlind: false })}
            onClose={() => setDecision(undefined)}
          />
        )}
      </div>
    </SlotNames>
  );
}

type Keys = {
  comparison: Comparison;
  body: Body;
  at: number;
  state: CompareState;
  change: (change: CompareChange) => void;
  decide: (decision: Decision) => void;
};

function useCompareKeys({ comparison, body, at, state, change, decide }: Keys): void {
  const { columns } = comparison;
  const nameOf = namesIn(comparison);
  const here = columns[at];
  const go = (by: number) => change({ at: columns[(at + by + columns.length) % columns.length]?.slot });
  const show = (body: Body) => () => change({ body });
  const may = (slot: string | undefined, what: string) =>
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
    { keys: "l", about: "Side by side, grid, one", run: () => change({ layout: nextLayout }) },
    {
      keys: "b",
      about: "Blind: hide who is who",
      run: () => change(blindSwitch(state, body)),
    },
    { keys: "s", about: "Synthesize from hunks", run: () => change({ isChoosing: !state.isChoosing, body: "diff" }) },
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
