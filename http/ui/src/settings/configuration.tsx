// Every key: its value, where that comes from, and what changed it. What may be changed here, the server says.
import { useState } from "react";
import type { ConfigRow } from "@/api/types";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { ConfigEdit } from "./config-edit";
import { shown } from "./shown";

export function Configuration() {
  const { data, error, isPending, refetch } = useView("/config", {}, { timeless: true });
  if (isPending) return <SkeletonRows />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex flex-col gap-6">
      {families(data).map(([family, rows]) => (
        <section key={family} aria-label={family}>
          <h2 className="mb-2 font-semibold">{family}</h2>
          <div className="divide-y divide-line rounded-md border border-line bg-surface">
            {rows.map((row) => (
              <ConfigKey key={row.key} row={row} />
            ))}
          </div>
        </section>
      ))}
      <History />
    </div>
  );
}

/** Keys by what stands before their first dot, in the order they come in. */
function families(rows: readonly ConfigRow[]): [string, ConfigRow[]][] {
  const families = new Map<string, ConfigRow[]>();
  for (const row of rows) {
    const family = row.key.split(".", 1)[0] ?? row.key;
    families.set(family, [...(families.get(family) ?? []), row]);
  }
  return [...families];
}

function ConfigKey({ row }: { row: ConfigRow }) {
  const [isEditing, setEditing] = useState(false);
  const mayChange = useMay("configure") && row.changeable;
  return (
    <div className="grid items-start gap-x-4 gap-y-1 px-4 py-2 md:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_4.5rem]">
      <div className="min-w-0">
        <code className="code">{row.key}</code>
        <p className="text-faint text-sm">{row.about}</p>
      </div>
      <div className="min-w-0">
        {isEditing ? (
          <ConfigEdit row={row} onDone={() => setEditing(false)} />
        ) : (
          <>
            <span className="code break-all">{shown(row.value)}</span>
            <p className="text-faint text-sm">
              from {row.source}
              {shown(row.value) !== shown(row.default) && <>; the default is {shown(row.default)}</>}
            </p>
            {row.after_restart !== undefined && (
              <p className="text-accent text-sm">{shown(row.after_restart)} after the next start of the server</p>
            )}
          </>
        )}
      </div>
      {mayChange && !isEditing ? (
        <Button
          size="small"
          className="max-md:justify-self-start"
          onClick={() => setEditing(true)}
          aria-label={`Change ${row.key}`}
        >
          Change
        </Button>
      ) : (
        <span />
      )}
    </div>
  );
}

function History() {
  const { data, error } = useView("/config/history", {}, { timeless: true });
  const now = useNow();
  const rows = data ?? [];
  return (
    <section aria-label="History">
      <h2 className="mb-2 font-semibold">What changed</h2>
      {error && <ProblemNotice error={error} />}
      <div className="divide-y divide-line rounded-md border border-line bg-surface">
        {data && rows.length === 0 && (
          <p className="px-4 py-3 text-soft">Nothing has been changed since the log begins.</p>
        )}
        {rows.map((row) => (
          <div key={`${row.seq}-${row.key}`} className="flex flex-wrap items-baseline gap-x-4 px-4 py-1.5">
            <code className="code">{row.key}</code>
            <span className="min-w-0 flex-1 break-all">
              <span className="text-faint">{shown(row.from)}</span> → {shown(row.to)}
            </span>
            <span className="text-faint" title={`${moment(row.at_us)}, Seq ${row.seq}`}>
              {row.by}, {ago(now - row.at_us / 1_000)}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}
