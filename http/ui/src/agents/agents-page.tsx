// Agents of every gateway: which there are, what each is, and the files that make it what it is.
import { useMemo } from "react";
import { agentsOf } from "@/gateways/answers";
import { Missing, NoGateway, NotThen } from "@/gateways/every";
import { isConnected, useGateways, useReads } from "@/gateways/use-reads";
import { classes } from "@/parts/classes";
import { Empty } from "@/parts/empty";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { useQueryState } from "@/timeline/use-query";
import { type Agent, AgentPane } from "./agent-pane";

export default function AgentsPage() {
  const { asOf } = useReplay();
  return asOf === undefined ? (
    <AgentsNow />
  ) : (
    <Page title="Agents">
      <NotThen what="Agents" />
    </Page>
  );
}

function AgentsNow() {
  const [query, change] = useQueryState();
  const { gateways, error, retry } = useGateways();
  const names = useMemo(() => (gateways ?? []).filter(isConnected).map((gateway) => gateway.name), [gateways]);
  const reads = useReads(names, "agents.list", {}, agentsOf);
  const all = reads.flatMap(({ gateway, data }): Agent[] => (data ?? []).map((row) => ({ ...row, gateway })));
  const chosen = all.find((agent) => agent.gateway === query.at && agent.id === query.agent);
  const isPending = gateways === undefined || reads.some((read) => read.isPending);
  return (
    <Page title="Agents">
      <div className="flex h-full flex-col">
        {error && <ProblemNotice className="m-4" error={error} onRetry={retry} />}
        <Missing gateways={gateways ?? []} reads={reads} />
        {gateways?.length === 0 && (
          <NoGateway>
            Agents live in an OpenClaw gateway, each with a workspace and files that say who it is. Connect a gateway to
            see and edit them.
          </NoGateway>
        )}
        {isPending && !error && <SkeletonRows />}
        {!isPending && names.length > 0 && all.length === 0 && (
          <Empty title="No agent" command="openclaw agents add">
            No connected gateway has an agent. On a gateway's machine:
          </Empty>
        )}
        {all.length > 0 && (
          <div className="min-h-0 flex-1 md:grid md:grid-cols-[18rem_1fr]">
            <ul
              aria-label="Agents"
              className={classes(
                "divide-y divide-line border-line bg-surface md:overflow-y-auto md:border-r",
                chosen && "max-md:hidden",
              )}
            >
              {all.map((agent) => (
                <li key={`${agent.gateway} ${agent.id}`}>
                  <AgentRow
                    agent={agent}
                    isChosen={agent === chosen}
                    onChoose={() => change({ at: agent.gateway, agent: agent.id, file: "" })}
                  />
                </li>
              ))}
            </ul>
            {chosen ? (
              <AgentPane
                key={`${chosen.gateway} ${chosen.id}`}
                agent={chosen}
                file={query.file}
                onFile={(file) => change({ file })}
                onBack={() => change({ at: "", agent: "", file: "" })}
              />
            ) : (
              <div className="max-md:hidden">
                <Empty title="Choose an agent">Its files are read and edited here: who it is, what it remembers.</Empty>
              </div>
            )}
          </div>
        )}
      </div>
    </Page>
  );
}

function AgentRow({ agent, isChosen, onChoose }: { agent: Agent; isChosen: boolean; onChoose: () => void }) {
  return (
    <button
      type="button"
      aria-current={isChosen || undefined}
      onClick={onChoose}
      className={classes("flex w-full flex-col px-4 py-2 text-left hover:bg-raised", isChosen && "bg-raised")}
    >
      <span className="flex w-full items-baseline gap-2">
        <bdi className="truncate font-medium">{agent.name ?? agent.id}</bdi>
        {agent.isDefault && <span className="text-faint text-sm">default</span>}
      </span>
      <span className="w-full truncate text-faint text-sm">
        {agent.gateway} · {agent.model ?? "model not told"}
      </span>
    </button>
  );
}
