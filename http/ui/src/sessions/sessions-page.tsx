// Sessions of every gateway: which there are, what they cost, and one of them whole.
import { useMemo } from "react";
import { plural } from "@/format/numbers";
import { sessionsOf } from "@/gateways/answers";
import { Missing, NoGateway, NotThen } from "@/gateways/every";
import { isConnected, useGateways, useReads } from "@/gateways/use-reads";
import { Empty } from "@/parts/empty";
import { bareField } from "@/parts/field";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { useQueryState } from "@/timeline/use-query";
import { type Session, shown, shownOf } from "./rows";
import { SessionSheet } from "./session-sheet";
import { SessionTable } from "./session-table";

/** Most sessions that are asked of one gateway: its answer has 2 kB for each. */
const SESSIONS_MAX = 300;

export default function SessionsPage() {
  const { asOf } = useReplay();
  return asOf === undefined ? (
    <SessionsNow />
  ) : (
    <Page title="Sessions">
      <NotThen what="Sessions" />
    </Page>
  );
}

function SessionsNow() {
  const [query, change] = useQueryState();
  const { gateways, error, retry } = useGateways();
  const names = useMemo(() => (gateways ?? []).filter(isConnected).map((gateway) => gateway.name), [gateways]);
  const reads = useReads(names, "sessions.list", { limit: SESSIONS_MAX, includeDerivedTitles: true }, sessionsOf);
  const all = reads.flatMap(({ gateway, data }): Session[] => (data?.rows ?? []).map((row) => ({ ...row, gateway })));
  const choice = shownOf(query);
  const rows = shown(all, choice);
  const isPending = gateways === undefined || reads.some((read) => read.isPending);
  const more = reads.filter(({ data }) => data && data.total > data.rows.length);
  const chosen = all.find((session) => session.gateway === query.at && session.key === query.session);
  return (
    <Page
      title="Sessions"
      tools={
        all.length > 0 && (
          <>
            <input
              type="search"
              aria-label="Search the sessions"
              placeholder="Name, agent or model"
              value={choice.text}
              onChange={(event) => change({ text: event.target.value })}
              className={bareField("!w-56 max-sm:!w-full")}
            />
            {names.length > 1 && (
              <select
                aria-label="Gateway"
                value={choice.gateway}
                onChange={(event) => change({ gateway: event.target.value })}
                className={bareField("!w-auto")}
              >
                <option value="">all gateways</option>
                {names.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            )}
            <select
              aria-label="State"
              value={choice.state}
              onChange={(event) => change({ state: event.target.value })}
              className={bareField("!w-auto")}
            >
              <option value="">at work or not</option>
              <option value="busy">at work</option>
              <option value="idle">not at work</option>
            </select>
            <span className="ml-auto text-faint">{plural(rows.length, "session")}</span>
          </>
        )
      }
    >
      {error && <ProblemNotice className="m-4" error={error} onRetry={retry} />}
      <Missing gateways={gateways ?? []} reads={reads} />
      {gateways?.length === 0 && (
        <NoGateway>
          A session is a conversation an OpenClaw gateway keeps. Connect a gateway to see and change its.
        </NoGateway>
      )}
      {isPending && !error && <SkeletonRows />}
      {!isPending && names.length > 0 && all.length === 0 && (
        <Empty title="No session yet" command="regatta gateway call main sessions.list">
          A session begins with the first message somebody sends, here in Chat or through a channel of the gateway.
        </Empty>
      )}
      {!isPending && all.length > 0 && rows.length === 0 && (
        <Empty title="No session fits">Nothing matches the filter.</Empty>
      )}
      {rows.length > 0 && <SessionTable rows={rows} choice={choice} onChange={change} />}
      {more.map(({ gateway, data }) => (
        <p key={gateway} className="px-4 py-2 text-faint">
          {gateway} has {plural(data?.total ?? 0, "session")}; the latest {data?.rows.length} are here.
        </p>
      ))}
      {chosen && <SessionSheet session={chosen} onClose={() => change({ at: "", session: "" })} />}
    </Page>
  );
}
