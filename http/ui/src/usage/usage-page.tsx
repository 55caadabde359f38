// Usage: what agents used and what it cost, over all gateways and Regatta's own attempts.

import { plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { classes } from "@/parts/classes";
import { Empty } from "@/parts/empty";
import { bareField } from "@/parts/field";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { useQueryState } from "@/timeline/use-query";
import { CostText, TokensText } from "./amounts";
import { DayBars } from "./day-bars";
import { GatewaysSay } from "./gateways-say";
import { SumTable } from "./sum-table";
import { BYS, type By, days, sums, total } from "./sums";

const SPANS = ["7", "30", "90", "365"];
/** What gateways say is no event of the page's own connection: it is read again this often. */
const AGAIN_MS = 15_000;

export default function UsagePage() {
  const [query, change] = useQueryState();
  const { asOf } = useReplay();
  const span = SPANS.find((known) => known === query.days) ?? "30";
  const by: By = BYS.find((known) => known === query.by) ?? "gateway";
  const { data, error, isPending, refetch } = useView("/usage", { days: span }, { everyMs: AGAIN_MS, keep: true });
  const all = total(data?.rows ?? []);
  return (
    <Page
      title="Usage"
      tools={
        <>
          <fieldset aria-label="By" className="flex min-w-0 gap-0.5 overflow-x-auto max-sm:w-full">
            {BYS.map((word) => (
              <button
                key={word}
                type="button"
                aria-pressed={word === by}
                onClick={() => change({ by: word })}
                className={classes(
                  "h-8 whitespace-nowrap rounded-md px-2.5 max-md:h-10 max-md:min-w-10 max-sm:px-2",
                  word === by ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised",
                )}
              >
                by {word}
              </button>
            ))}
          </fieldset>
          <select
            aria-label="Days"
            value={span}
            onChange={(event) => change({ days: event.target.value })}
            className={bareField("!w-auto ml-auto")}
          >
            {SPANS.map((known) => (
              <option key={known} value={known}>
                the last {known} days
              </option>
            ))}
          </select>
        </>
      }
    >
      {isPending && <SkeletonRows />}
      {error && <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />}
      {data?.rows.length === 0 && (
        <Empty title="Nothing was used yet" command="regatta run 'fix the failing test' -a claude -a codex">
          What attempts use is counted when they end, and what agents of gateways use when they answer. In the last{" "}
          {span} days there was neither.
        </Empty>
      )}
      {data && data.rows.length > 0 && (
        <div className="mx-auto flex max-w-5xl flex-col gap-5 p-4">
          <section aria-label="Together" className="flex flex-wrap items-end gap-x-8 gap-y-3">
            <Big word="cost">
              <CostText sum={all} />
            </Big>
            <Big word="tokens">
              <TokensText sum={all} />
            </Big>
            <Big word="at gateways">{plural(all.turns, "answer")}</Big>
            <Big word="of Regatta">{plural(all.attempts, "attempt")}</Big>
          </section>
          <DayBars days={days(data.rows, data.first_us, data.until_us)} />
          <SumTable sums={sums(data.rows, by)} by={by} />
          <p className="text-faint">
            Counted by Regatta from what it heard, by days in UTC: answers of models as gateways tell them, attempts as
            their agents tell when they end. “≥” stands where some told nothing, “~” where it was summed up on the way.
          </p>
        </div>
      )}
      {asOf === undefined && <GatewaysSay days={Number(span)} />}
    </Page>
  );
}

function Big({ word, children }: { word: string; children: React.ReactNode }) {
  return (
    <p className="flex flex-col">
      <span className="font-semibold text-xl tabular-nums">{children}</span>
      <span className="text-faint">{word}</span>
    </p>
  );
}
