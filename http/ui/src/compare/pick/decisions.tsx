// What a person may decide about an attempt: pick, discard, stop, restore. Each says first what it will do.
import type { ReactNode } from "react";
import { command } from "@/api/client";
import type { Column, Comparison, Revealed, Slot } from "@/api/types";
import { plural } from "@/format/numbers";
import { whoTries } from "../head/who-tries";
import { useSlotName } from "../slot-name";
import { ActDialog } from "./act-dialog";

export type Decision = { what: "pick" | "discard" | "cancel" | "restore"; slot: Slot } | { what: "cancel-run" };

type Props = {
  decision: Decision;
  comparison: Comparison;
  isBlind: boolean;
  /** Whether there is a verdict, which a blind comparison does not tell. */
  isDecided: boolean;
  /** With everybody's names when the vote was blind. */
  onPicked: (revealed: Revealed | undefined) => void;
  onClose: () => void;
};

export function DecisionDialog({ decision, comparison, isBlind, isDecided, onPicked, onClose }: Props) {
  if (decision.what === "cancel-run") return <CancelRun comparison={comparison} onClose={onClose} />;
  if (decision.what === "restore" && comparison.discarded?.includes(decision.slot)) {
    return <BringBack slot={decision.slot} comparison={comparison} onClose={onClose} />;
  }
  const column = comparison.columns.find((known) => known.slot === decision.slot);
  if (!column) return null;
  const props = { column, comparison, isBlind, isDecided, onPicked, onClose };
  switch (decision.what) {
    case "pick":
      return <Pick {...props} />;
    case "discard":
      return <Discard {...props} />;
    case "cancel":
      return <Cancel {...props} />;
    case "restore":
      return <Restore {...props} />;
  }
}

type OneProps = Omit<Props, "decision"> & { column: Column };

function Branch({ run, slot }: { run: string; slot: Slot }) {
  return <code className="code">{`regatta/${run}/${slot}`}</code>;
}

function Pick({ column, comparison, isBlind, isDecided, onPicked, onClose }: OneProps) {
  const upper = useSlotName();
  const { run, verdict, base_ref, base_commit } = comparison;
  const others = comparison.columns.filter((other) => other.slot !== column.slot);
  const going = others.filter((other) => other.state.name !== "finished");
  const consequences: (ReactNode | false)[] = [
    isBlind ? (
      <>Attempt {upper(column.slot)} becomes the winner; then the names are shown.</>
    ) : (
      <>
        Attempt {upper(column.slot)} ({whoTries(column)}) becomes the winner.
      </>
    ),
    column.checks_failed > 0 && (
      <span className="text-warn">
        {plural(column.checks_failed, "check")} of {upper(column.slot)} failed; it wins all the same.
      </span>
    ),
    verdict?.winner != null && verdict.winner !== column.slot && (
      <>It replaces the verdict for {upper(verdict.winner)}, which stays in the history.</>
    ),
    comparison.blind && isDecided && <>It replaces the verdict that is there, which stays in the history.</>,
    !column.branch && (
      <>
        Its work is delivered as branch {isBlind ? "of its own" : <Branch run={run} slot={column.slot} />}, on top of{" "}
        {base_ref} at <code className="code">{base_commit.slice(0, 8)}</code>. Nothing else in the repository is
        touched.
      </>
    ),
    column.branch !== null && <>Its branch is there already: {column.branch}.</>,
    going.length > 0 && (
      <>{going.map((other) => upper(other.slot)).join(", ")} still run; their output and changes are kept.</>
    ),
    <>The other attempts stay and can be picked instead at any time.</>,
  ];
  return (
    <ActDialog
      title={`Pick ${upper(column.slot)}`}
      act={`Pick ${upper(column.slot)}`}
      consequences={consequences.filter(Boolean)}
      onAct={(reason, key) =>
        command(
          "POST",
          `/runs/${run}/pick`,
          { attempt: column.slot, reason, ...(isBlind ? { blind: true } : {}) },
          { key },
        )
      }
      onDone={onPicked}
      onClose={onClose}
    />
  );
}

function Discard({ column, comparison, onClose }: OneProps) {
  const upper = useSlotName();
  return (
    <ActDialog
      title={`Discard ${upper(column.slot)}`}
      act="Discard"
      isDanger
      consequences={[
        <>Attempt {upper(column.slot)} is put aside: it is not shown and cannot win.</>,
        <>Its output and changes stay; it can be brought back.</>,
      ]}
      onAct={(reason, key) =>
        command("POST", `/runs/${comparison.run}/attempts/${column.slot}/discard`, { reason }, { key })
      }
      onClose={onClose}
    />
  );
}

function Cancel({ column, comparison, onClose }: OneProps) {
  const upper = useSlotName();
  return (
    <ActDialog
      title={`Stop ${upper(column.slot)}`}
      act="Stop it"
      isDanger
      consequences={[
        <>Attempt {upper(column.slot)} is stopped and its sandbox removed.</>,
        <>What it printed so far is kept. It cannot go on later.</>,
      ]}
      onAct={(reason, key) =>
        command("POST", `/runs/${comparison.run}/cancel`, { attempt: column.slot, reason }, { key })
      }
      onClose={onClose}
    />
  );
}

function CancelRun({ comparison, onClose }: { comparison: Comparison; onClose: () => void }) {
  return (
    <ActDialog
      title="Stop the run"
      act="Stop the run"
      isDanger
      consequences={[
        <>Every attempt that still runs is stopped, and every sandbox removed.</>,
        <>What attempts printed and changed so far is kept; those that ended can still be picked.</>,
      ]}
      onAct={(reason, key) => command("POST", `/runs/${comparison.run}/cancel`, { reason }, { key })}
      onClose={onClose}
    />
  );
}

function Restore({ column, comparison, onClose }: OneProps) {
  const upper = useSlotName();
  return (
    <ActDialog
      title={`Get the work of ${upper(column.slot)}`}
      act="Make the branch"
      takesReason={false}
      consequences={[
        <>
          The work of {upper(column.slot)} becomes{" "}
          {comparison.blind ? (
            "a branch of its own"
          ) : (
            <>
              branch <Branch run={comparison.run} slot={column.slot} />
            </>
          )}{" "}
          in the repository.
        </>,
        <>The verdict stays as it is.</>,
      ]}
      onAct={(_, key) => command("POST", `/runs/${comparison.run}/attempts/${column.slot}/restore`, undefined, { key })}
      onClose={onClose}
    />
  );
}

function BringBack({ slot, comparison, onClose }: { slot: Slot; comparison: Comparison; onClose: () => void }) {
  const nameOf = useSlotName();
  return (
    <ActDialog
      title={`Bring ${nameOf(slot)} back`}
      act="Bring it back"
      takesReason={false}
      consequences={[<>Attempt {nameOf(slot)} is shown again and can be picked.</>]}
      onAct={(_, key) => command("POST", `/runs/${comparison.run}/attempts/${slot}/restore`, undefined, { key })}
      onClose={onClose}
    />
  );
}
