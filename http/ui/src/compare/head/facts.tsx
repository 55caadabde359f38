// The numbers of an attempt: each says what it is, and whether it was measured, estimated or is not known.
import type { Column, DiffStat, Usage } from "@/api/types";
import { dollars, plural, short } from "@/format/numbers";
import { classes } from "@/parts/classes";

export function ChecksCount({ column }: { column: Column }) {
  const { checks_passed: passed, checks_failed: failed, checks_total: total } = column;
  if (total === 0) {
    return (
      <span className="text-faint" title="the run has no checks">
        no checks
      </span>
    );
  }
  const isDone = passed + failed === total;
  const tone = failed > 0 ? "text-bad" : isDone ? "text-good" : "text-soft";
  return (
    <span className={tone} title={`${passed} passed, ${failed} failed, of ${plural(total, "check")}`}>
      {passed}/{total} {failed > 0 ? "✗" : isDone ? "✓" : "checks"}
    </span>
  );
}

export function Diffstat({ stat }: { stat: DiffStat }) {
  if (stat.files === 0) return <span className="text-faint">no change</span>;
  return (
    <span
      className="whitespace-nowrap"
      title={`${stat.added} lines added, ${stat.removed} removed, in ${plural(stat.files, "file")}`}
    >
      <span className="text-good">+{stat.added}</span> <span className="text-bad">−{stat.removed}</span>{" "}
      <span className="text-faint">{plural(stat.files, "file")}</span>
    </span>
  );
}

function known(value: number | null | undefined): value is number {
  return value !== null && value !== undefined;
}

/** Tokens and cost; `~` when they are estimated, `?` when nobody said. */
export function UsageText({ usage }: { usage: Usage | null | undefined }) {
  if (!usage || usage.source === "unknown") return null;
  const about = usage.source === "reported" ? "as the agent reported" : "estimated";
  const mark = usage.source === "estimated" ? "~" : "";
  const { tokens_in, tokens_out, cost_usd_micros } = usage;
  return (
    <span className="whitespace-nowrap" title={`tokens in and out, and cost: ${about}`}>
      {(known(tokens_in) || known(tokens_out)) && (
        <>
          {mark}
          {known(tokens_in) ? short(tokens_in) : "?"}↓ {known(tokens_out) ? short(tokens_out) : "?"}↑
        </>
      )}
      {known(cost_usd_micros) && (
        <span className={classes(known(tokens_in) || known(tokens_out) ? "ml-2" : "")}>
          {mark}
          {dollars(cost_usd_micros)}
        </span>
      )}
    </span>
  );
}
