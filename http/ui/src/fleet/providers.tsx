// Who can make sandboxes now, what they can do, and why the others cannot.
import type { ProviderRow } from "@/api/types";
import { useView } from "@/live/use-view";
import { StateBadge } from "@/parts/state";
import { useReplay } from "@/replay/replay";
import { Strays } from "./strays";

/** Whether a provider can be used is no event. Each look asks the vendors. */
const LOOK_MS = 60_000;

const CAN: Record<string, string> = {
  pause: "pause",
  fork: "fork",
  "network-off": "no network",
  "memory-caged": "memory bounded by the kernel",
  remote: "on another machine",
};

export function Providers() {
  const { asOf } = useReplay();
  const { data } = useView("/providers", {}, { timeless: true, everyMs: LOOK_MS, enabled: asOf === undefined });
  // Of now only.
  if (!data || asOf !== undefined) return null;
  return (
    <section aria-label="Providers">
      <h2 className="mb-2 font-semibold">Providers</h2>
      <dl className="divide-y divide-line overflow-hidden rounded-md border border-line bg-surface">
        {data.map((provider) => (
          <div key={provider.name} className="grid gap-x-4 px-4 py-1.5 sm:grid-cols-[14rem_6rem_1fr]">
            <dt className="code">{provider.name}</dt>
            <dd>
              {provider.problem === undefined ? (
                <StateBadge glyph="●" tone="good">
                  usable
                </StateBadge>
              ) : (
                <StateBadge glyph="○" tone="warn">
                  not now
                </StateBadge>
              )}
            </dd>
            <dd className="min-w-0 break-words text-faint">{provider.problem ?? said(provider)}</dd>
          </div>
        ))}
      </dl>
      <Strays />
    </section>
  );
}

function said({ fence, capabilities }: ProviderRow): string {
  const can = capabilities.map((capability) => CAN[capability] ?? capability);
  const behind = fence === "none" ? "no fence" : (fence ?? "");
  return can.length === 0 ? behind : `${behind}; can: ${can.join(", ")}`;
}
