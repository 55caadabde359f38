// Tokens: who may come in with what role, until when. A secret is shown once, when it is made.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import type { Token } from "@/api/types";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { NewToken } from "./new-token";

export function Tokens() {
  const { data, error, isPending, refetch } = useView("/tokens", {}, { timeless: true });
  const [isMaking, setMaking] = useState(false);
  const mayChange = useMay("tokens");
  if (isPending) return <SkeletonRows />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  const rows = data ?? [];
  return (
    <div className="flex flex-col gap-3">
      {mayChange && (
        <div>
          <Button look="primary" onClick={() => setMaking(true)}>
            New token
          </Button>
        </div>
      )}
      {rows.length === 0 && (
        <Empty title="There is no token" command="regatta token create --role operator">
          A token lets a program or a browser in.
        </Empty>
      )}
      <div className="divide-y divide-line rounded-md border border-line bg-surface empty:hidden">
        {rows.map((token) => (
          <TokenRow key={token.id} token={token} mayChange={mayChange} />
        ))}
      </div>
      {isMaking && <NewToken onClose={() => setMaking(false)} />}
    </div>
  );
}

function TokenRow({ token, mayChange }: { token: Token; mayChange: boolean }) {
  const now = useNow();
  const client = useQueryClient();
  const [isSure, setSure] = useState(false);
  const revoke = useMutation({
    mutationFn: () => command("DELETE", `/tokens/${token.id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", "/tokens"] }),
  });
  const isOver = token.revoked_at_us != null || (token.expires_at_us != null && token.expires_at_us / 1_000 <= now);
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
      <span className="min-w-40 flex-1">
        <span className="font-medium">{token.name}</span>
        <span className="ml-2 text-faint">
          {token.user} · {token.role}
        </span>
      </span>
      <TokenState token={token} now={now} />
      <span className="w-36 text-faint text-sm" title={`made ${moment(token.created_at_us)}`}>
        {token.last_used_at_us == null ? "never used" : `used ${ago(now - token.last_used_at_us / 1_000)}`}
      </span>
      {mayChange && !isOver && (
        <Button
          size="small"
          look="danger"
          disabled={revoke.isPending}
          onClick={() => (isSure ? revoke.mutate() : setSure(true))}
          onBlur={() => setSure(false)}
          aria-label={`Revoke ${token.name}`}
        >
          {isSure ? "Really revoke" : "Revoke"}
        </Button>
      )}
      {revoke.isError && <ProblemNotice className="w-full" error={revoke.error} />}
    </div>
  );
}

function TokenState({ token, now }: { token: Token; now: number }) {
  if (token.revoked_at_us != null) {
    return (
      <StateBadge glyph="✗" tone="bad" title={moment(token.revoked_at_us)}>
        revoked
      </StateBadge>
    );
  }
  if (token.expires_at_us == null)
    return (
      <StateBadge glyph="●" tone="good">
        valid until revoked
      </StateBadge>
    );
  const day = moment(token.expires_at_us).slice(0, 10);
  if (token.expires_at_us / 1_000 <= now)
    return (
      <StateBadge glyph="–" tone="calm">
        expired {day}
      </StateBadge>
    );
  return (
    <StateBadge glyph="●" tone="good" title={moment(token.expires_at_us)}>
      valid until {day}
    </StateBadge>
  );
}
