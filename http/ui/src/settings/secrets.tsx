// Secrets: which there are, whose runs may use them, who did. A value goes in here and never comes out.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import type { Secret } from "@/api/types";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { CommandLine } from "@/parts/command-line";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { NewSecret } from "./new-secret";

export function Secrets() {
  const { data, error, isPending, refetch } = useView("/secrets", {}, { timeless: true });
  const [isMaking, setMaking] = useState(false);
  const mayChange = useMay("secrets");
  if (isPending) return <SkeletonRows />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  const isLocked = data.standing === "locked";
  return (
    <div className="flex flex-col gap-3">
      {isLocked && (
        <p role="status" className="flex flex-wrap items-center gap-2">
          The vault is locked: nothing is given out until its passphrase is known.
          <CommandLine command="regatta secret unlock" />
        </p>
      )}
      {mayChange && data.may_set && !isLocked && (
        <div>
          <Button look="primary" onClick={() => setMaking(true)}>
            New secret
          </Button>
        </div>
      )}
      {!data.may_set && data.rows.length > 0 && (
        <p className="flex flex-wrap items-center gap-2 text-soft">
          This connection is not encrypted, so no value is taken here. On the server's machine:
          <CommandLine command="regatta secret set NAME" />
        </p>
      )}
      {data.rows.length === 0 && (
        <Empty title="There is no secret" command="regatta secret set openai">
          A run's commands get what its regatta.toml names: API_KEY = {"{"} secret = "openai" {"}"}.
        </Empty>
      )}
      <div className="divide-y divide-line rounded-md border border-line bg-surface empty:hidden">
        {data.rows.map((secret) => (
          <SecretRow key={secret.name} secret={secret} />
        ))}
      </div>
      {isMaking && <NewSecret onClose={() => setMaking(false)} />}
    </div>
  );
}

function SecretRow({ secret }: { secret: Secret }) {
  const now = useNow();
  const client = useQueryClient();
  const mayRemove = useMay("secrets");
  const [isSure, setSure] = useState(false);
  const remove = useMutation({
    mutationFn: () => command("DELETE", `/secrets/${encodeURIComponent(secret.name)}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", "/secrets"] }),
  });
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
      <span className="min-w-40 flex-1">
        <code className="code font-medium">{secret.name}</code>
        <span className="block break-all text-faint text-sm">{users(secret)}</span>
      </span>
      <span className="text-faint text-sm" title={`value set ${moment(secret.changed_at_us)}`}>
        made {ago(now - secret.made_at_us / 1_000)}
      </span>
      <span className="w-44 text-faint text-sm">
        {!secret.last_use
          ? "not used since the start"
          : `${secret.last_use.by}, ${ago(now - secret.last_use.at_us / 1_000)}`}
      </span>
      {mayRemove && (
        <Button
          size="small"
          look="danger"
          disabled={remove.isPending}
          onClick={() => (isSure ? remove.mutate() : setSure(true))}
          onBlur={() => setSure(false)}
          aria-label={`Remove ${secret.name}`}
        >
          {isSure ? "Really remove" : "Remove"}
        </Button>
      )}
      {remove.isError && <ProblemNotice className="w-full" error={remove.error} />}
    </div>
  );
}

/** Who may use it. */
function users({ scope, settings }: Secret): string {
  const runs = scope.everywhere
    ? ["runs of every repository"]
    : (scope.repositories ?? []).map((path) => `runs of ${path}`);
  const all = [...runs, ...settings];
  return all.length === 0 ? "nobody may use it yet" : all.join(", ");
}
