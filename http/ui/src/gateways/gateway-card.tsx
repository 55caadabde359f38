// One gateway: its connection, its health, what is missing, and what to do.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { command } from "@/api/client";
import type { Gateway } from "@/api/types";
import { actorName } from "@/format/actor";
import { count, plural } from "@/format/numbers";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { lookOf } from "./looks";
import { TestResult } from "./test-result";
import { Trouble } from "./trouble";

export function GatewayCard({ gateway }: { gateway: Gateway }) {
  const now = useNow();
  const { glyph, tone, word } = lookOf(gateway);
  return (
    <section aria-label={`Gateway ${gateway.name}`} className="rounded-md border border-line bg-surface">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 border-line border-b px-4 py-2">
        <h2 className="font-semibold">{gateway.name}</h2>
        <StateBadge glyph={glyph} tone={tone} title={`since ${moment(gateway.since_us)}`}>
          {word}
        </StateBadge>
        <code className="code min-w-0 break-all text-faint">{gateway.url}</code>
        <span className="ml-auto text-faint text-sm" title={moment(gateway.added_at_us)}>
          added by {actorName(gateway.added_by)}, {ago(now - gateway.added_at_us / 1_000)}
        </span>
      </header>
      <Trouble gateway={gateway} />
      <Facts gateway={gateway} />
      <Actions gateway={gateway} />
    </section>
  );
}

function Facts({ gateway }: { gateway: Gateway }) {
  const now = useNow();
  const { health } = gateway;
  const heard = gateway.last_frame_at_us;
  const missed =
    gateway.gaps === 0 ? (
      "nothing"
    ) : (
      <span className="text-warn">
        {plural(gateway.missing, "event")} in {plural(gateway.gaps, "gap")}
      </span>
    );
  const rows: [string, ReactNode][] = [
    [
      "version",
      gateway.version ?? (
        <span key="v" className="text-faint">
          not known yet
        </span>
      ),
    ],
    [
      "health",
      health ? (
        <Health key="h" health={health} />
      ) : (
        <span key="h" className="text-faint">
          it has not told yet
        </span>
      ),
    ],
    ["recorded", `${plural(gateway.frames, "event")}${heard === null ? "" : `, the last ${ago(now - heard / 1_000)}`}`],
    ["missed", missed],
    [
      "connections",
      `${count(gateway.connections)}, the gateway restarted ${plural(gateway.restarts, "time")} in between`,
    ],
    [
      "questions",
      gateway.approvals_open === 0 ? (
        "nobody asks anything"
      ) : (
        <Link key="q" to="/approvals" className="text-accent underline-offset-2 hover:underline">
          {plural(gateway.approvals_open, "question")} to be answered
        </Link>
      ),
    ],
  ];
  return (
    <dl className="divide-y divide-line">
      {rows.map(([name, value]) => (
        <div key={name} className="grid gap-x-4 px-4 py-1.5 sm:grid-cols-[10rem_1fr]">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 break-words tabular-nums">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Health({ health }: { health: NonNullable<Gateway["health"]> }) {
  const now = useNow();
  const failed = health.plugin_errors === 0 ? "" : `, ${plural(health.plugin_errors, "plugin")} failed`;
  return (
    <span title={`it said so ${ago(now - health.at_us / 1_000)}`}>
      <StateBadge glyph={health.is_well ? "✓" : "!"} tone={health.is_well ? "good" : "bad"}>
        {health.is_well ? "well" : "not well"}
      </StateBadge>
      <span className="ml-3 text-soft">
        {plural(health.agents, "agent")}, {plural(health.sessions, "session")}
        {failed}
      </span>
    </span>
  );
}

function Actions({ gateway }: { gateway: Gateway }) {
  const client = useQueryClient();
  const [isSure, setSure] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: ["view", "/gateways"] });
  const path = `/gateways/${encodeURIComponent(gateway.name)}` as const;
  const test = useMutation({ mutationFn: () => command("POST", `${path}/test`), onSettled: refresh });
  const remove = useMutation({ mutationFn: () => command("DELETE", path), onSuccess: refresh });
  const mayTest = useMay("test-gateways");
  const mayRemove = useMay("gateways");
  if (!mayTest && !mayRemove) return null;
  return (
    <div className="flex flex-col gap-3 border-line border-t px-4 py-3">
      <div className="flex flex-wrap gap-2">
        {mayTest && (
          <Button size="small" disabled={test.isPending} onClick={() => test.mutate()}>
            {test.isPending ? "Connecting…" : "Test the connection"}
          </Button>
        )}
        {mayRemove && (
          <Button
            size="small"
            look="danger"
            disabled={remove.isPending}
            onClick={() => (isSure ? remove.mutate() : setSure(true))}
            onBlur={() => setSure(false)}
            aria-label={`Remove ${gateway.name}`}
          >
            {isSure ? "Really remove" : "Remove"}
          </Button>
        )}
      </div>
      {test.data && <TestResult tested={test.data} />}
      {test.isError && <ProblemNotice error={test.error} />}
      {remove.isError && <ProblemNotice error={remove.error} />}
    </div>
  );
}
