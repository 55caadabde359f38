// What takes the disk, what of it may go, and the way to clean up. Which of it may go, the server says.
import { useState } from "react";
import type { Disk } from "@/api/types";
import { bytes, plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { CleanDialog } from "./clean-dialog";
import { LeftTable } from "./left-table";
import { Parts } from "./parts";

export function DiskPart() {
  const { asOf } = useReplay();
  const { data, error, isPending, refetch } = useView("/disk", {}, { timeless: true, enabled: asOf === undefined });
  // The disk has no past.
  if (asOf !== undefined) return null;
  return (
    <section aria-label="Disk" className="flex flex-col gap-3">
      <h2 className="font-semibold">
        Disk{" "}
        {data && (
          <span className="font-normal text-faint">
            {bytes(data.parts.reduce((sum, part) => sum + part.bytes, 0))} in{" "}
            <code className="code">{data.folder}</code>, {bytes(data.free_bytes)} of {bytes(data.total_bytes)} free
          </span>
        )}
      </h2>
      {isPending && <SkeletonRows />}
      {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data && (
        <>
          <Parts disk={data} />
          <MayGo disk={data} />
          <LeftTable disk={data} />
        </>
      )}
    </section>
  );
}

function MayGo({ disk }: { disk: Disk }) {
  const [isCleaning, setCleaning] = useState(false);
  const { attempts, bytes: freed } = disk.left.may_go;
  const mayClean = useMay("clean");
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      <p className="min-w-0 flex-1 text-soft">
        {attempts === 0
          ? "Nothing that attempts left may go: what won, what was delivered and what is under way stays."
          : `What ${plural(attempts, "attempt")} left may go, which frees ${bytes(freed)}. What others need as well stays.`}
      </p>
      {mayClean && attempts > 0 && <Button onClick={() => setCleaning(true)}>Clean up…</Button>}
      {isCleaning && <CleanDialog onClose={() => setCleaning(false)} />}
    </div>
  );
}
