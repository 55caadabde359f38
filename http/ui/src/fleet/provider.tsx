// One provider and the sandboxes it has now.

import type { Provider, ProviderRow, Sandbox, SandboxState } from "@/api/types";
import { count, dollars } from "@/format/numbers";
import { age, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { StateBadge, type Tone } from "@/parts/state";
import { useReplay } from "@/replay/replay";
import { AttemptLink } from "./attempt-link";
import { SandboxActs } from "./sandbox-acts";

const STATES: Record<SandboxState, { glyph: string; tone: Tone; word: string; about: string }> = {
  intended: { glyph: "◌", tone: "busy", word: "being made", about: "the provider was or is about to be asked" },
  alive: { glyph: "●", tone: "good", word: "alive", about: "it exists" },
  forked: { glyph: "●", tone: "good", word: "copy", about: "a person's copy of another one" },
  failed: {
    glyph: "✗",
    tone: "bad",
    word: "failed",
    about: "could not be made, or was lost; it is still to be removed",
  },
};

const HEAD = "px-4 py-1.5 text-left font-normal text-faint text-sm";
const CELL = "px-4 py-1.5 align-top";

type Props = {
  provider: Provider;
  /** What it can do, once that is known. */
  able: ProviderRow | undefined;
};

export function ProviderPart({ provider, able }: Props) {
  const { name, sandboxes, totals } = provider;
  return (
    <section aria-label={`Provider ${name}`}>
      <h2 className="mb-2 font-semibold">
        {name}{" "}
        <span className="font-normal text-faint">
          {count(totals.alive)} alive, {count(totals.waiting)} waiting, {count(totals.destroyed)} removed so far
        </span>
      </h2>
      <div className="overflow-x-auto rounded-md border border-line bg-surface">
        {sandboxes.length === 0 ? (
          <p className="px-4 py-3 text-soft">No sandbox exists now.</p>
        ) : (
          <table className="w-full">
            <thead className="border-line border-b">
              <tr>
                <th className={HEAD}>state</th>
                <th className={HEAD}>attempt</th>
                <th className={HEAD}>age</th>
                <th className={HEAD}>cost so far</th>
                <th className={HEAD}>fence</th>
                <th className={HEAD}>name</th>
                <td className={HEAD} />
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {sandboxes.map((sandbox) => (
                <SandboxRow key={sandbox.key} sandbox={sandbox} able={able} />
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function SandboxRow({ sandbox, able }: { sandbox: Sandbox; able: ProviderRow | undefined }) {
  const now = useNow();
  const { asOf } = useReplay();
  const since = sandbox.created_at_us ?? sandbox.intended_at_us;
  const ageMs = asOf === undefined ? Math.max(0, now - since / 1_000) : sandbox.age_ms;
  const { glyph, tone, word, about } = STATES[sandbox.state];
  return (
    <tr>
      <td className={CELL}>
        {sandbox.is_leak ? (
          <StateBadge glyph="!" tone="bad" title="its right to exist ended, and it is still there">
            leaked
          </StateBadge>
        ) : (
          <StateBadge glyph={glyph} tone={tone} title={about}>
            {word}
          </StateBadge>
        )}
      </td>
      <td className={CELL}>
        <AttemptLink attempt={sandbox.attempt} />
      </td>
      <td className={CELL} title={`since ${moment(since)}`}>
        {age(ageMs)}
      </td>
      <td className={CELL} title="as the attempt's agents tell, under all its leases">
        {sandbox.cost_usd_micros === null ? <span className="text-faint">–</span> : dollars(sandbox.cost_usd_micros)}
      </td>
      <td className={CELL}>{sandbox.fence ?? <span className="text-faint">not known yet</span>}</td>
      <td className={`${CELL} code text-faint`}>{sandbox.key}</td>
      <td className={`${CELL} text-right`}>
        <SandboxActs sandbox={sandbox} provider={able} />
      </td>
    </tr>
  );
}
