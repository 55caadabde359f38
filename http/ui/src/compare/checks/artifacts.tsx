// What an attempt left besides its change: names, sizes, and a way to save each. Nothing of it is ever shown.
import { Download } from "lucide-react";
import { address } from "@/api/client";
import type { ArtifactSums, Artifacts } from "@/api/types";
import { bytes, plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodySkeleton } from "../body-note";

export function ArtifactsPart({ attempt, sums }: { attempt: string; sums: ArtifactSums }) {
  const left = useView(`/attempts/${attempt}/artifacts`, {}, { timeless: true });
  return (
    <section aria-label="Artifacts" className="px-3 py-2">
      <h3 className="mb-1 font-medium">
        Artifacts{" "}
        <span className="font-normal text-faint">
          {plural(sums.count, "file")}, {bytes(sums.bytes)}
          {sums.omitted > 0 && `, ${sums.omitted} not kept`}
        </span>
      </h3>
      {left.isError && <ProblemNotice error={left.error} onRetry={() => void left.refetch()} />}
      {left.isPending && <BodySkeleton />}
      {left.data && <Left attempt={attempt} left={left.data} />}
    </section>
  );
}

function Left({ attempt, left }: { attempt: string; left: Artifacts }) {
  const unlisted = left.omitted_count - left.omitted.length;
  return (
    <>
      <ul>
        {left.rows.map((row) => (
          <li key={row.name} className="flex items-center gap-2 py-0.5">
            <a
              href={addressOf(attempt, row.name)}
              download
              title={`Save ${row.name}`}
              className="code flex min-w-0 items-center gap-1.5 underline decoration-line-strong underline-offset-2 hover:decoration-current"
            >
              <Download size={13} aria-hidden className="shrink-0 text-faint" />
              <span className="truncate">{row.name}</span>
            </a>
            <span className="ml-auto shrink-0 text-faint text-sm">{bytes(row.bytes)}</span>
          </li>
        ))}
      </ul>
      {left.failures.map((failure) => (
        <p key={failure} className="text-bad text-sm">
          {failure}
        </p>
      ))}
      {left.omitted.map((omitted) => (
        <p key={`${omitted.name}${omitted.reason}`} className="text-soft text-sm">
          not kept: <span className="code">{omitted.name}</span>: {omitted.reason}
        </p>
      ))}
      {unlisted > 0 && <p className="text-soft text-sm">not kept: {plural(unlisted, "more file")}</p>}
    </>
  );
}

function addressOf(attempt: string, name: string): string {
  return address(`/attempts/${attempt}/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`);
}
