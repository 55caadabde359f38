// What gateways themselves say they used, also before Regatta was connected. Beside our own sums, never added to them.
import { useMemo } from "react";
import { dollars, plural, short } from "@/format/numbers";
import { ago } from "@/format/time";
import { useNow } from "@/format/use-now";
import { costOf } from "@/gateways/answers";
import { Missing } from "@/gateways/every";
import { isConnected, useGateways, useReads } from "@/gateways/use-reads";

export function GatewaysSay({ days }: { days: number }) {
  const now = useNow();
  const { gateways } = useGateways();
  const names = useMemo(() => (gateways ?? []).filter(isConnected).map((gateway) => gateway.name), [gateways]);
  const reads = useReads(names, "usage.cost", { days }, costOf);
  if (!gateways || gateways.length === 0) return null;
  return (
    <section aria-label="What the gateways say" className="mx-auto flex max-w-5xl flex-col gap-2 p-4 pt-0">
      <h2 className="font-semibold">What the gateways say themselves</h2>
      <Missing gateways={gateways} reads={reads} />
      <ul className="divide-y divide-line rounded-md border border-line bg-surface empty:hidden">
        {reads.map(
          ({ gateway, data }) =>
            data && (
              <li key={gateway} className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-3 py-2">
                <span className="font-medium">{gateway}</span>
                <span className="text-faint">
                  {data.updatedAtMs !== undefined && `told ${ago(now - data.updatedAtMs)}`}
                  {data.isCounting && ", it is still counting: there will be more"}
                  {data.unpriced > 0 && `, without the price of ${plural(data.unpriced, "answer")}`}
                </span>
                <span className="ml-auto tabular-nums">{short(data.tokens)} tokens</span>
                <span className="w-20 text-right tabular-nums">
                  {data.isCounting || data.unpriced > 0 ? "≥ " : ""}
                  {dollars(data.costUsd * 1_000_000)}
                </span>
              </li>
            ),
        )}
      </ul>
      <p className="text-faint">
        Theirs counts what was before Regatta was connected, and by their own days; so the two need not agree.
      </p>
    </section>
  );
}
