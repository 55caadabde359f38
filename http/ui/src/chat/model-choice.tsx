// Which model answers in a session, from the next turn on.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { problemOf } from "@/api/problem";
import type { ModelRow, SessionRow } from "@/gateways/answers";
import { talk } from "./talk";

/** The model of a session, as it is named when one is chosen. */
export function modelOf(session: SessionRow | undefined): string {
  return [session?.provider, session?.model].filter(Boolean).join("/");
}

type Props = { gateway: string; session: SessionRow; models: readonly ModelRow[] };

export function ModelChoice({ gateway, session, models }: Props) {
  const client = useQueryClient();
  const choose = useMutation({
    mutationFn: (model: string) => talk(gateway, "sessions.patch", { key: session.key, model }),
    onSettled: () => client.invalidateQueries({ queryKey: ["view", `/gateways/${encodeURIComponent(gateway)}/read`] }),
  });
  // What was just chosen is shown until the gateway says otherwise.
  const current = choose.isPending ? choose.variables : modelOf(session);
  const offered = models.filter((model) => model.isAvailable);
  if (offered.length === 0) return <span className="text-faint text-sm">{session.model}</span>;
  return (
    <span className="flex items-center gap-2">
      {choose.isError && <span className="text-bad text-sm">{problemOf(choose.error).detail}</span>}
      <select
        aria-label="Model, from the next turn on"
        value={current}
        disabled={choose.isPending}
        onChange={(event) => choose.mutate(event.target.value)}
        className="h-6 max-md:h-10 max-w-44 rounded-md border border-line-strong bg-surface px-1 text-sm"
      >
        {!offered.some((model) => model.id === current) && <option value={current}>{current || "not told"}</option>}
        {offered.map((model) => (
          <option key={model.id} value={model.id}>
            {model.name}
          </option>
        ))}
      </select>
    </span>
  );
}
