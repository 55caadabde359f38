// The attempts side by side: heads stay, bodies scroll. On a phone one column fills the screen and one swipes.

import { lazy, Suspense, useEffect, useMemo, useRef } from "react";
import type { Column, Comparison, MergePreview, Slot } from "@/api/types";
import { codeOf } from "@/live/code";
import { BodyNote, BodySkeleton } from "./body-note";
import type { TakeHunk } from "./diff/diff-row";
import { ColumnHead, type HeadActions } from "./head/column-head";
import { windowOf } from "./layout";
import { useSlotName } from "./slot-name";
import type { Body, CompareChange, CompareState } from "./state";
import { Strip } from "./strip";
import { Together, TogetherContext } from "./sync";
import { isChosen, toggled } from "./synthesis/chosen";
import { useWidth } from "./use-width";

const OutputBody = lazy(() => codeOf(() => import("./output/output-body")));
const DiffBody = lazy(() => codeOf(() => import("./diff/diff-body")));
const ChecksBody = lazy(() => codeOf(() => import("./checks/checks-body")));

type Props = {
  comparison: Comparison;
  body: Body;
  state: CompareState;
  at: number;
  isReplay: boolean;
  maySynthesize: boolean;
  readAtMs: number;
  merges: MergePreview | undefined;
  actions: HeadActions;
  onChange: (change: CompareChange) => void;
};

export function Columns(props: Props) {
  const { comparison, state, at, onChange } = props;
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const shownNow = windowOf(state.layout, comparison.columns.length, at, width);
  const shown = comparison.columns.slice(shownNow.first, shownNow.first + shownNow.count);
  // What was put aside is not told apart while nobody may know who is who.
  const discarded = comparison.blind ? [] : (comparison.discarded ?? []);
  const together = useMemo(() => new Together<unknown>(), []);
  together.isOn = !state.isLoose;
  const go = (slot: Slot) => onChange({ at: slot });
  return (
    <div ref={box} className="flex min-h-0 flex-1 flex-col">
      {(shown.length < comparison.columns.length || discarded.length > 0) && (
        <Strip
          discarded={discarded}
          onRestore={props.actions.restore}
          columns={comparison.columns}
          shown={new Set(shown.map((column) => column.slot))}
          at={comparison.columns[at]?.slot}
          onGo={go}
        />
      )}
      <TogetherContext value={together}>
        {width > 0 && width < 520 ? (
          <Swipe {...props} onGo={go} />
        ) : (
          <div
            className="grid min-h-0 flex-1 gap-px bg-line"
            style={{
              gridTemplateColumns: `repeat(${shownNow.perRow}, minmax(0, 1fr))`,
              // A head and a body each; heads of one row are equally high, so that bodies line up.
              gridTemplateRows: `repeat(${shownNow.rows}, auto minmax(0, 1fr))`,
            }}
          >
            {shown.map((column) => (
              <OneColumn key={column.slot} {...props} column={column} />
            ))}
          </div>
        )}
      </TogetherContext>
    </div>
  );
}

/** One screen per attempt; the neighbours of the one that is seen are ready. */
function Swipe(props: Props & { onGo: (slot: Slot) => void }) {
  const { comparison, at, onGo } = props;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    const left = at * (element?.clientWidth ?? 0);
    if (element && Math.abs(element.scrollLeft - left) > 4) element.scrollTo({ left });
  }, [at]);
  const settle = () => {
    const element = box.current;
    if (!element) return;
    const slot = comparison.columns[Math.round(element.scrollLeft / element.clientWidth)]?.slot;
    if (slot && slot !== comparison.columns[at]?.slot) onGo(slot);
  };
  return (
    <div
      ref={box}
      onScrollEnd={settle}
      className="flex min-h-0 flex-1 snap-x snap-mandatory overflow-x-auto overflow-y-hidden"
    >
      {comparison.columns.map((column, index) => (
        <div
          key={column.slot}
          className="grid h-full w-full shrink-0 snap-center grid-cols-[minmax(0,1fr)] grid-rows-[auto_minmax(0,1fr)]"
        >
          {Math.abs(index - at) <= 1 && <OneColumn {...props} column={column} />}
        </div>
      ))}
    </div>
  );
}

function OneColumn(props: Props & { column: Column }) {
  const { column, comparison, at, isReplay, readAtMs, merges, actions, onChange } = props;
  const index = comparison.columns.indexOf(column);
  const nameOf = useSlotName();
  return (
    <article
      aria-label={`Attempt ${nameOf(column.slot)}`}
      className="row-span-2 grid min-h-0 min-w-0 flex-1 grid-cols-[minmax(0,1fr)] grid-rows-subgrid gap-y-0 bg-surface"
      onPointerDownCapture={() => {
        if (index !== at) onChange({ at: column.slot });
      }}
    >
      <ColumnHead
        column={column}
        comparison={comparison}
        number={index + 1}
        isAt={index === at}
        isReplay={isReplay}
        readAtMs={readAtMs}
        merge={merges?.rows.find((row) => row.slot === column.slot)}
        actions={actions}
        onFocus={() => onChange({ at: column.slot })}
      />
      <div className="min-h-0 flex-1">
        <Suspense fallback={<BodySkeleton />}>
          <OneBody {...props} />
        </Suspense>
      </div>
    </article>
  );
}

function OneBody({ column, comparison, body, state, maySynthesize, onChange }: Props & { column: Column }) {
  if (body === "output" && comparison.blind) {
    return <BodyNote>Hidden while the comparison is blind: agents say who they are. Key b ends that.</BodyNote>;
  }
  if (body === "output") return <OutputBody column={column} checks={comparison.checks} isRaw={state.isRaw} />;
  if (body === "checks") return <ChecksBody column={column} isBlind={comparison.blind} />;
  const take: TakeHunk = {
    isTaken: (path, hunk) => isChosen(state.chosen, { slot: column.slot, path, hunk }),
    toggle: (path, hunk) =>
      onChange({ isChoosing: true, chosen: toggled(state.chosen, { slot: column.slot, path, hunk }) }),
  };
  return <DiffBody column={column} path={state.path} take={maySynthesize ? take : undefined} />;
}
