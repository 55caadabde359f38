// Rules: what is answered in advance, by whom and why. Admins add and remove them.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import type { KnownRule } from "@/api/types";
import { actorName } from "@/format/actor";
import { moment } from "@/format/time";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { OfNow } from "@/replay/of-now";
import { AddRule } from "./add-rule";
import { EMPTY } from "./rule-draft";

export function Rules() {
  const { data, error } = useView("/approvals/rules", {}, { timeless: true });
  const [isAdding, setAdding] = useState(false);
  const mayChange = useMay("rules");
  const rows = data?.rows ?? [];
  return (
    <section aria-label="Rules">
      <div className="mb-2 flex items-center gap-3">
        <h2 className="font-semibold">Rules</h2>
        <span className="text-faint text-sm">answers in advance; no goes before yes, then the oldest that fits</span>
        {mayChange && (
          <Button size="small" className="ml-auto" onClick={() => setAdding(true)}>
            Add a rule
          </Button>
        )}
      </div>
      <OfNow>Rules are shown as they are now, not as they were at that moment.</OfNow>
      {error && <ProblemNotice error={error} />}
      {data && rows.length === 0 && (
        <p className="text-soft">
          There are none: people answer everything. A rule allows or denies what it is about in your place, and says
          why.
        </p>
      )}
      {rows.length > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line bg-surface">
          {rows.map((known) => (
            <Row key={known.rule.name} known={known} mayChange={mayChange} />
          ))}
        </ul>
      )}
      {isAdding && <AddRule first={EMPTY} onClose={() => setAdding(false)} />}
    </section>
  );
}

function Row({ known, mayChange }: { known: KnownRule; mayChange: boolean }) {
  const { rule, added_at_us, added_by } = known;
  const { agent, gateway, cwd, command: pattern, run } = rule.scope;
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => command("DELETE", `/approvals/rules/${encodeURIComponent(rule.name)}`),
    onSettled: () => client.invalidateQueries({ queryKey: ["view", "/approvals/rules"] }),
  });
  const rest: [string, string | undefined][] = [
    ["in", cwd],
    ["of agent", agent],
    ["at", gateway],
    ["of run", run],
  ];
  return (
    <li className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-4 py-2">
      <StateBadge glyph={rule.answer === "deny" ? "✗" : "✓"} tone={rule.answer === "deny" ? "bad" : "good"}>
        {rule.answer === "deny" ? "denies" : "allows"}
      </StateBadge>
      {pattern && <code className="code min-w-0 break-all">{pattern}</code>}
      {rest.map(
        ([word, value]) =>
          value && (
            <span key={word} className="min-w-0 break-all text-sm">
              <span className="text-faint">{word} </span>
              <code className="code">{value}</code>
            </span>
          ),
      )}
      <span className="ml-auto text-faint text-sm" title={moment(added_at_us)}>
        {rule.name}, by {actorName(added_by)}
      </span>
      {mayChange && (
        <Button
          size="small"
          look="danger"
          disabled={remove.isPending}
          aria-label={`Remove the rule ${rule.name}`}
          onClick={() => remove.mutate()}
        >
          Remove
        </Button>
      )}
      <span className="w-full break-words text-soft text-sm">{rule.reason}</span>
      {remove.isError && <ProblemNotice className="w-full" error={remove.error} />}
    </li>
  );
}
