// One agent: what it is, and its files.
import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useEffect } from "react";
import { bytes } from "@/format/numbers";
import { type AgentRow, filesOf } from "@/gateways/answers";
import { useRead } from "@/gateways/use-reads";
import { Button, buttonLook } from "@/parts/button";
import { classes } from "@/parts/classes";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { FileEditor } from "./file-editor";

export type Agent = AgentRow & { gateway: string };

type Props = { agent: Agent; file: string | undefined; onFile: (name: string) => void; onBack: () => void };

export function AgentPane({ agent, file, onFile, onBack }: Props) {
  const {
    data: files,
    error,
    isPending,
    refetch,
  } = useRead(agent.gateway, "agents.files.list", { agentId: agent.id }, filesOf);
  const first = files?.find((known) => !known.isMissing)?.name;
  useEffect(() => {
    if (!file && first) onFile(first);
  }, [file, first, onFile]);
  const chosen = files?.find((known) => known.name === file);
  return (
    <section
      aria-label={`Agent ${agent.name ?? agent.id}`}
      className="flex min-h-0 min-w-0 flex-col md:overflow-y-auto"
    >
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 border-line border-b px-4 py-2">
        <Button size="small" className="md:hidden" onClick={onBack}>
          <ArrowLeft size={13} aria-hidden /> Agents
        </Button>
        <h2 className="font-semibold">
          {agent.emoji && <span aria-hidden>{agent.emoji} </span>}
          <bdi>{agent.name ?? agent.id}</bdi>
        </h2>
        <Facts agent={agent} />
        <Link
          to="/chat"
          search={() => ({ gateway: agent.gateway, session: `agent:${agent.id}:main` })}
          className={classes(buttonLook("plain", "small"), "ml-auto")}
        >
          Talk to it
        </Link>
      </header>
      {isPending && <SkeletonRows rows={4} />}
      {error && <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />}
      {files && (
        <nav aria-label="Files of the agent" className="flex flex-wrap gap-1 border-line border-b px-4 py-2">
          {files.map((known) => (
            <button
              key={known.name}
              type="button"
              aria-pressed={known.name === file}
              onClick={() => onFile(known.name)}
              title={known.path}
              className={classes(
                "h-7 rounded-md px-2.5 max-md:h-10",
                known.name === file ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised",
              )}
            >
              {known.name}{" "}
              <span className="text-faint text-sm">{known.isMissing ? "not there" : bytes(known.size ?? 0)}</span>
            </button>
          ))}
        </nav>
      )}
      {chosen && <FileEditor key={chosen.name} gateway={agent.gateway} agent={agent.id} name={chosen.name} />}
    </section>
  );
}

function Facts({ agent }: { agent: Agent }) {
  const facts: [string, string | undefined][] = [
    ["at", agent.gateway],
    ["id", agent.id],
    ["model", agent.model],
    ["may", agent.permission],
    ["works in", agent.workspace],
  ];
  return (
    <dl className="flex min-w-0 flex-wrap gap-x-4 text-sm">
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name} className="flex min-w-0 gap-1.5">
              <dt className="text-faint">{name}</dt>
              <dd className="min-w-0 break-all">{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
