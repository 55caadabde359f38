// The head of a column: who, how it stands, and what came of it. It stays while the body scrolls.
import { Ban, GitBranch, RotateCcw, Trash2, Trophy } from "lucide-react";
import type { Can, Column, Comparison, MergeRow, Slot } from "@/api/types";
import { plural } from "@/format/numbers";
import { Button, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { MergeBadge } from "../merge/merge-badge";
import { useSlotName } from "../slot-name";
import { AttemptStateBadge, lookOf } from "./attempt-state";
import { Elapsed } from "./elapsed";
import { ChecksCount, Diffstat, UsageText } from "./facts";
import { whoTries } from "./who-tries";

export type HeadActions = {
  pick: (slot: Slot) => void;
  discard: (slot: Slot) => void;
  restore: (slot: Slot) => void;
  cancel: (slot: Slot) => void;
};

type Props = {
  column: Column;
  comparison: Comparison;
  number: number;
  isAt: boolean;
  isReplay: boolean;
  readAtMs: number;
  merge: MergeRow | undefined;
  actions: HeadActions;
  onFocus: () => void;
};

export function ColumnHead(props: Props) {
  const { column, comparison, isAt, isReplay, readAtMs, merge, number, onFocus } = props;
  const nameOf = useSlotName();
  const twins =
    comparison.groups.find((group) => group.patch_hash !== null && group.slots.includes(column.slot))?.slots ?? [];
  const reason = column.waits_for ?? lookOf(column.state).reason;
  return (
    <header
      className={classes(
        "relative shrink-0 border-line border-b px-3 pt-2 pb-1.5",
        column.is_winner ? "bg-good-wash" : "bg-surface",
        isAt && "shadow-[inset_0_2px_0_var(--accent)]",
      )}
    >
      <div className="flex items-center gap-2">
        <button
          type="button"
          onClick={onFocus}
          aria-pressed={isAt}
          title={`Attempt ${nameOf(column.slot)}${column.can.includes("pick") ? `: key ${number} picks it` : ""}`}
          className="grid size-5 shrink-0 place-items-center max-md:size-10 rounded-sm border border-line-strong font-semibold text-sm"
        >
          {nameOf(column.slot)}
        </button>
        <h2 className="min-w-0 truncate font-semibold" title={column.command ?? whoTries(column)}>
          <bdi>{whoTries(column)}</bdi>
        </h2>
        {column.is_winner && (
          <span
            className="flex shrink-0 items-center gap-1 text-good text-sm"
            title="the winner by the verdict in force"
          >
            <Trophy size={12} aria-hidden /> won
          </span>
        )}
        <HeadButtons {...props} />
      </div>
      <p className="mt-1 flex min-w-0 flex-wrap items-center gap-x-3">
        <AttemptStateBadge state={column.state} checks={comparison.checks} />
        <span className="text-soft">
          <Elapsed column={column} readAtMs={readAtMs} isReplay={isReplay} />
        </span>
        <ChecksCount column={column} />
        {column.stat && <Diffstat stat={column.stat} />}
      </p>
      <p className="flex min-w-0 flex-wrap items-center gap-x-3 text-faint text-sm">
        <UsageText usage={column.usage} />
        {column.made_of && column.made_of.length > 0 && (
          <span title={column.made_of.map((hunk) => `${nameOf(hunk.slot)}: ${hunk.path} ${hunk.header}`).join("\n")}>
            ✚ {plural(column.made_of.length, "hunk")} of{" "}
            {[...new Set(column.made_of.map((hunk) => nameOf(hunk.slot)))].join(", ")}
          </span>
        )}
        {!comparison.blind && (
          <span title="sandbox, and the fence really in force">
            {column.sandbox}
            {column.fence && ` · ${column.fence}`}
          </span>
        )}
        {twins.length > 1 && (
          <span className="text-soft" title={`the same patch: ${twins.map(nameOf).join(", ")}`}>
            ≡ {twins.map(nameOf).join(" ")}
          </span>
        )}
        {column.patch && <MergeBadge row={merge} into={comparison.base_ref} />}
        {column.branch && (
          <span className="flex min-w-0 items-center gap-1" title={`delivered as branch ${column.branch}`}>
            <GitBranch size={12} aria-hidden className="shrink-0" />
            <span className="truncate">{column.branch}</span>
          </span>
        )}
      </p>
      {reason && (
        <p className="truncate text-soft text-sm" title={reason}>
          {reason}
        </p>
      )}
    </header>
  );
}

function HeadButtons({ column, actions }: Props) {
  const can = (what: Can) => column.can.includes(what);
  const name = useSlotName()(column.slot);
  return (
    <span className="ml-auto flex shrink-0 items-center gap-1">
      {can("cancel") && (
        <IconButton
          size="small"
          label={`Stop attempt ${name}`}
          icon={<Ban size={13} aria-hidden />}
          onClick={() => actions.cancel(column.slot)}
        />
      )}
      {can("restore") && (
        <IconButton
          size="small"
          label={`Get the work of ${name} as a branch`}
          icon={<RotateCcw size={13} aria-hidden />}
          onClick={() => actions.restore(column.slot)}
        />
      )}
      {can("discard") && (
        <IconButton
          size="small"
          label={`Discard attempt ${name}`}
          icon={<Trash2 size={13} aria-hidden />}
          onClick={() => actions.discard(column.slot)}
        />
      )}
      {can("pick") && (
        <Button size="small" onClick={() => actions.pick(column.slot)}>
          Pick
        </Button>
      )}
    </span>
  );
}
