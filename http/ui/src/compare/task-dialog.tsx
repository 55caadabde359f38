// What was asked for, whole: the task as all agents got it, and everything else that was the same for all of them.
import type { ReactNode } from "react";
import type { Comparison, RunView } from "@/api/types";
import { actorName } from "@/format/actor";
import { bytes, count, plural } from "@/format/numbers";
import { lasted, moment } from "@/format/time";
import { Dialog } from "@/parts/dialog";
import { useSlotName } from "./slot-name";

type Props = { comparison: Comparison; view: RunView; onClose: () => void };

export function TaskDialog({ comparison, view, onClose }: Props) {
  const { limits } = view;
  return (
    <Dialog title="The task" wide onClose={onClose}>
      <Prompt prompt={view.prompt} title={comparison.title} />
      <dl className="mt-4 grid grid-cols-[6rem_minmax(0,1fr)] gap-y-1 border-line border-t pt-3">
        <Row name="repository">{view.row.repository}</Row>
        <Row name="base">
          {view.row.base_ref} at {view.base_commit}
        </Row>
        {view.uncommitted_included > 0 && (
          <Row name="included">{plural(view.uncommitted_included, "uncommitted change")}</Row>
        )}
        <Row name="strategy">{view.row.strategy}</Row>
        <Row name="setup">{view.setup && <code className="code break-words">{view.setup}</code>}</Row>
        <Row name="checks">{view.checks.length > 0 && <Checks checks={view.checks} />}</Row>
        <Row name="time">
          {spent(limits.agent_timeout_ms)} per agent, {spent(limits.check_timeout_ms)} per check
        </Row>
        <Row name="room">
          {size(limits.memory_bytes_max)} of memory, {size(limits.disk_bytes_max)} of disk
        </Row>
        <Row name="asked by">
          {actorName(view.row.by)}, {moment(view.row.requested_at_us)}
        </Row>
      </dl>
      {!comparison.blind && <Verdicts view={view} />}
    </Dialog>
  );
}

function Prompt({ prompt, title }: { prompt: RunView["prompt"]; title: string }) {
  if ("inline" in prompt) {
    return (
      <p dir="auto" className="whitespace-pre-wrap [overflow-wrap:anywhere]">
        {prompt.inline}
      </p>
    );
  }
  return (
    <p dir="auto">
      {title} <span className="text-faint">… {bytes(prompt.blob.bytes)} in all; every agent got the whole text.</span>
    </p>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 break-words">{children || <span className="text-faint">none</span>}</dd>
    </div>
  );
}

function Checks({ checks }: { checks: RunView["checks"] }) {
  return (
    <ul>
      {checks.map((check) => (
        <li key={check.name}>
          {check.name}: <code className="code break-words">{check.command}</code>
        </li>
      ))}
    </ul>
  );
}

/** Who won when, also what was replaced. */
function Verdicts({ view }: { view: RunView }) {
  const nameOf = useSlotName();
  const verdicts = [view.verdict, ...view.verdicts_replaced.toReversed()].filter((verdict) => verdict !== null);
  if (verdicts.length === 0) return null;
  return (
    <section className="mt-4 border-line border-t pt-3">
      <h3 className="mb-1 font-medium text-soft">{plural(verdicts.length, "verdict")}</h3>
      <ol className="flex flex-col gap-1">
        {verdicts.map((verdict, index) => (
          <li key={verdict.seq} className={index > 0 ? "text-faint" : ""} title={`Seq ${count(verdict.seq)}`}>
            {verdict.winner ? `${nameOf(verdict.winner)} by ` : "nobody, by "}
            {verdict.judge === "human" ? actorName(verdict.by) : "checks"}
            {verdict.blind && ", blind"}, {moment(verdict.at_us).slice(0, 19)}
            {verdict.reason && `: ${verdict.reason}`}
            {index > 0 && " (replaced)"}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Limits that nobody set are not said by every server. */
function spent(ms: number | undefined): string {
  return ms === undefined ? "?" : lasted(ms);
}
function size(value: number | undefined): string {
  return value === undefined ? "?" : bytes(value);
}
