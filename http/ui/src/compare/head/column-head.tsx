// The head of a column: who, how it stands, and what came of it. It stays while the body scrolls.
import { Ban, GitBranch, MoreHorizontal, RotateCcw, Trophy } from "lucide-react";
import type { Column, Comparison, Slot } from "@/api/types";
import { Button, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { MergeBadge } from "../merge/merge-badge";
import type { MergeRow } from "../merge/merge-preview";
import { AttemptStateBadge, lookOf } from "./attempt-state";
import { Elapsed } from "./elapsed";
import { ChecksCount, Diffstat, UsageText } from "./facts";

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

/** Who tries: agent and model, or the command; in a blind comparison nobody says. */
export function whoTries(column: Column): string {
  if (!column.agent) return `Attempt ${column.slot.toUpperCase()}`;
  if (column.agent === "command" && column.command) return shortCommand(column.command);
  return [column.agent, column.model].filter(Boolean).join(" · ");
}

/** The last program or script of a command says most. */
export function shortCommand(command: string): string {
  const words = command.split(/\s+/).map((word) => word.replace(/^['"]|['"]$/g, ""));
  const script = words.find((word) => /\.[a-z]{1,4}$/i.test(word)) ?? words[0] ?? command;
  return script.split("/").at(-1) ?? script;
}

export function ColumnHead(props: Props) {
  const { column, comparison, isAt, isReplay, readAtMs, merge, number, onFocus } = props;
  const twins =
    comparison.groups.find((group) => group.patch_hash !== null && group.slots.includes(column.slot))?.slots ?? [];
  const about = lookOf(column.state).about ?? column.waits_for;
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
          title={`Attempt ${column.slot.toUpperCase()}: key ${number} picks it`}
          className="grid size-5 shrink-0 place-items-center rounded-sm border border-line-strong font-semibold text-sm uppercase"
        >
          {column.slot}
        </button>
        <h2 className="min-w-0 truncate font-semibold" title={column.command ?? whoTries(column)}>
          {whoTries(column)}
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
        <span title="sandbox, and the fence really in force">
          {column.sandbox}
          {column.fence && ` · ${column.fence}`}
        </span>
        {twins.length > 1 && (
          <span className="text-soft uppercase" title={`the same patch: ${twins.join(", ").toUpperCase()}`}>
            ≡ {twins.join(" ")}
          </span>
        )}
        <MergeBadge row={merge} into={comparison.base_ref} />
        {column.branch && (
          <span className="flex min-w-0 items-center gap-1" title={`delivered as branch ${column.branch}`}>
            <GitBranch size={12} aria-hidden className="shrink-0" />
            <span className="truncate">{column.branch}</span>
          </span>
        )}
      </p>
      {about && (
        <p className="truncate text-soft text-sm" title={about}>
          {about}
        </p>
      )}
    </header>
  );
}

function HeadButtons({ column, actions }: Props) {
  const can = (what: string) => column.can.includes(what);
  const name = column.slot.toUpperCase();
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
          icon={<MoreHorizontal size={13} aria-hidden />}
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
