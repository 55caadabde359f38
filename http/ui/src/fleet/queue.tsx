// Who waits, for what, and since when: longest first.

import type { Waiting } from "@/api/types";
import { age } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useReplay } from "@/replay/replay";
import { AttemptLink } from "./attempt-link";

export function Queue({ queue }: { queue: Waiting[] }) {
  return (
    <section aria-label="Queue">
      <h2 className="mb-2 font-semibold">
        Waiting <span className="font-normal text-faint">{queue.length}</span>
      </h2>
      <div className="overflow-hidden rounded-md border border-line bg-surface">
        {queue.length === 0 && <p className="px-4 py-3 text-soft">Nobody waits.</p>}
        {queue.map((waiting) => (
          <div
            key={waiting.attempt}
            className="flex flex-wrap items-center gap-x-4 border-line border-b px-4 py-2 last:border-b-0"
          >
            <AttemptLink attempt={waiting.attempt} />
            <span className="min-w-0 flex-1 text-soft">
              {waiting.reason ?? `queued: provider ${waiting.provider}, why was not said`}
            </span>
            <Since waiting={waiting} />
          </div>
        ))}
      </div>
    </section>
  );
}

function Since({ waiting }: { waiting: Waiting }) {
  const now = useNow();
  const { asOf } = useReplay();
  const waited = asOf === undefined ? now - waiting.since_us / 1_000 : waiting.waiting_ms;
  const until = waiting.not_before_ms === null ? 0 : waiting.not_before_ms - now;
  return (
    <span className="text-faint">
      {age(Math.max(0, waited))}
      {until > 0 && asOf === undefined && `, tried again in ${age(until)}`}
    </span>
  );
}
