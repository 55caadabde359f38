// The server itself: where it keeps everything, the fence it would use now, and how far the relay is behind.

import type { Relay } from "@/api/types";
import { count } from "@/format/numbers";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useView } from "@/live/use-view";
import { StateBadge } from "@/parts/state";
import { useReplay } from "@/replay/replay";

/** How far the relay is behind changes without an event. */
const LOOK_MS = 10_000;

export function ServerPart() {
  const { asOf } = useReplay();
  const { data } = useView("/health", {}, { timeless: true, everyMs: LOOK_MS });
  const now = useNow();
  // Of now only.
  if (!data || asOf !== undefined) return null;
  const rows: [string, React.ReactNode][] = [
    ["version", data.version],
    [
      "started",
      <span key="s" title={moment(data.started_at_us)}>
        {ago(now - data.started_at_us / 1_000)}
      </span>,
    ],
    [
      "data",
      <code key="d" className="code break-all">
        {data.data_dir}
      </code>,
    ],
    ["fence of a local sandbox made now", data.fence],
    ["relay", <RelayState key="r" relay={data.relay} />],
  ];
  return (
    <section aria-label="Server">
      <h2 className="mb-2 font-semibold">Server</h2>
      <dl className="divide-y divide-line overflow-hidden rounded-md border border-line bg-surface">
        {rows.map(([name, value]) => (
          <div key={name} className="grid gap-x-4 px-4 py-1.5 sm:grid-cols-[14rem_1fr]">
            <dt className="text-faint">{name}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function RelayState({ relay }: { relay: Relay | undefined }) {
  if (!relay)
    return <span className="text-soft">none; events are published with regatta up --nats nats://host:4222</span>;
  const lag = Math.max(0, relay.head - Math.max(relay.published ?? 0, relay.acked));
  const missing = relay.missing ?? 0;
  return (
    <>
      <StateBadge glyph={relay.connected ? "●" : "!"} tone={relay.connected ? "good" : "warn"}>
        {relay.connected ? "connected" : "not connected"}
      </StateBadge>
      <span className="ml-3 text-soft">{lag === 0 ? "nothing behind" : `${count(lag)} events behind`}</span>
      {missing > 0 && <span className="ml-3 text-warn">{count(missing)} published events are missing there</span>}
      {relay.last_error && <span className="ml-3 text-warn">{relay.last_error}</span>}
    </>
  );
}
