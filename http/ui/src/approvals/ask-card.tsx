// One question: what would be run, where, who asks, how long it waits, and the answers that are offered.

import type { Approval } from "@/api/types";
import { ago, clock, moment } from "@/format/time";
import { seen } from "@/format/unseen";
import { useNow } from "@/format/use-now";
import { classes } from "@/parts/classes";
import { Answers } from "./answers";
import { SOON_MS } from "./notices";

type Props = { ask: Approval; isChosen: boolean; onChoose: () => void };

export function AskCard({ ask, isChosen, onChoose }: Props) {
  const now = useNow();
  const { question } = ask;
  const leftMs = ask.expires_at_us / 1_000 - now;
  return (
    <article
      id={`ask-${ask.id}`}
      aria-label={`Question ${ask.id}`}
      aria-current={isChosen || undefined}
      className={classes("rounded-md border bg-surface", isChosen ? "border-accent" : "border-line")}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-3">
        <button
          type="button"
          onClick={onChoose}
          title={`${ask.id}: choose it, for its keys and its link`}
          className="font-semibold underline-offset-2 hover:underline"
        >
          {question.agent ?? "an agent"} of {ask.gateway}
        </button>
        <span className="text-faint text-sm" title={moment(ask.asked_at_us)}>
          asked {ago(now - ask.asked_at_us / 1_000)}
        </span>
        <span
          className={classes("ml-auto tabular-nums", leftMs < SOON_MS ? "text-warn" : "text-soft")}
          title={`until ${moment(ask.expires_at_us)}; then the answer is no`}
        >
          {leftMs > 0 ? `${clock(leftMs)} left, then no` : "its time is over"}
        </span>
      </header>
      <div className="flex flex-col gap-2 px-4 py-3">
        <pre
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
          tabIndex={0}
          className="code max-h-64 overflow-auto whitespace-pre-wrap break-all rounded-md bg-sunken p-3"
        >
          {seen(question.command)}
        </pre>
        {question.plugin && (
          <p className="max-h-64 overflow-auto whitespace-pre-wrap break-words text-soft">{question.plugin.about}</p>
        )}
        <Details question={question} />
        {ask.escalated.map(({ to, failed }) => (
          <p key={to} className={failed === null ? "text-faint text-sm" : "text-sm text-warn"}>
            {failed === null ? `${to} was told that it is about to expire` : `${to} could not be told: ${failed}`}
          </p>
        ))}
        {ask.reason !== null && <p className="text-warn">An answer did not arrive: {ask.reason}</p>}
        <Answers ask={ask} isChosen={isChosen} onLate={onChoose} />
      </div>
    </article>
  );
}

function Details({ question }: { question: Approval["question"] }) {
  const rows: [string, string | undefined][] = [
    ["in", question.cwd],
    ["runs", question.program],
    ["on", question.host],
    ["plugin", question.plugin?.name],
    ["tool", question.plugin?.tool],
    ["session", question.session],
  ];
  return (
    <>
      {question.argv.length > 1 && (
        <ol aria-label="Words of the command" className="flex flex-wrap gap-1">
          {question.argv.map((word, at) => (
            <li key={at} className="code rounded-sm border border-line bg-raised px-1.5">
              {seen(word)}
            </li>
          ))}
        </ol>
      )}
      <dl className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
        {rows.map(
          ([name, value]) =>
            value && (
              <div key={name} className="flex min-w-0 gap-1.5">
                <dt className="text-faint">{name}</dt>
                <dd className="code min-w-0 break-all">{value}</dd>
              </div>
            ),
        )}
      </dl>
      {question.warnings.map((warning) => (
        <p key={warning} className="text-warn">
          <span aria-hidden>! </span>
          {warning}
        </p>
      ))}
    </>
  );
}
