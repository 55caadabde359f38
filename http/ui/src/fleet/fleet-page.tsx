// Where attempts run, who waits for what and why, whether anything was left behind, and what takes the disk.

import { useView } from "@/live/use-view";
import { CommandLine } from "@/parts/command-line";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { OfNow } from "@/replay/of-now";
import { DiskPart } from "./disk/disk-part";
import { Limits } from "./limits";
import { ProviderPart } from "./provider";
import { Providers } from "./providers";
import { Queue } from "./queue";
import { ServerPart } from "./server";
import { Totals } from "./totals";

export default function FleetPage() {
  const { data, error, isPending, refetch } = useView("/fleet");
  const { data: able } = useView("/providers", {}, { timeless: true });
  return (
    <Page title="Fleet">
      {isPending && <SkeletonRows />}
      {error && <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />}
      {data && (
        <div className="mx-auto flex max-w-6xl flex-col gap-6 p-4">
          <Totals totals={data.totals} />
          <OfNow>
            Limits, providers, the disk and the server itself are known as they are now only, so they are not shown
            here.
          </OfNow>
          <Limits />
          <Queue queue={data.queue} />
          {data.providers.map((provider) => (
            <ProviderPart
              key={provider.name}
              provider={provider}
              able={able?.find(({ name }) => name === provider.name)}
            />
          ))}
          {data.providers.length === 0 && <NeverUsed />}
          <Providers />
          <DiskPart />
          <ServerPart />
        </div>
      )}
    </Page>
  );
}

function NeverUsed() {
  return (
    <section aria-label="Sandboxes" className="rounded-md border border-line bg-surface p-4">
      <h2 className="font-semibold">No sandbox was ever made here</h2>
      <p className="mt-1 mb-3 text-soft">
        Each attempt gets one of its own when a run starts, and it is removed when the attempt is over.
      </p>
      <CommandLine command="regatta run 'fix the failing test' -a claude -a codex" />
    </section>
  );
}
