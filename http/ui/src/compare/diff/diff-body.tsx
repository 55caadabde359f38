// What one attempt changed against the base.
import type { Column } from "@/api/types";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodyNote, BodySkeleton } from "../body-note";
import { useSlotName } from "../slot-name";
import type { TakeHunk } from "./diff-row";
import { DiffView } from "./diff-view";
import { usePatch } from "./use-patch";

type Props = { column: Column; path: string | undefined; take: TakeHunk | undefined };

export default function DiffBody({ column, path, take }: Props) {
  const patch = usePatch(column.attempt, column.patch?.hash);
  const name = useSlotName()(column.slot);
  if (column.collect_failure)
    return (
      <BodyNote tone="bad">
        What {name} changed could not be collected: {column.collect_failure}
      </BodyNote>
    );
  if (!column.stat)
    return (
      <BodyNote>
        {column.state.name === "finished"
          ? "It was over before anything was collected."
          : "The diff is here once the agent has ended."}
      </BodyNote>
    );
  if (!column.patch) return <BodyNote>It changed nothing.</BodyNote>;
  if (patch.isError) return <ProblemNotice className="m-3" error={patch.error} onRetry={() => void patch.refetch()} />;
  if (!patch.data) return <BodySkeleton />;
  return (
    <DiffView
      name={column.slot}
      files={patch.data}
      path={path}
      take={take}
      label={`Diff of attempt ${name} against the base`}
    />
  );
}
