// What came of connecting once, step by step.
import type { Tested } from "@/api/types";
import { StateBadge } from "@/parts/state";

export function TestResult({ tested }: { tested: Tested }) {
  return (
    <ol aria-label="What happened" className="flex flex-col gap-1">
      {tested.steps.map((step) => (
        <li key={step.name} className="flex flex-wrap gap-x-3">
          <StateBadge glyph={step.is_good ? "✓" : "✗"} tone={step.is_good ? "good" : "bad"}>
            {step.name}
          </StateBadge>
          <span className="min-w-0 break-words text-soft">{step.found}</span>
          {step.advice && <span className="w-full break-words pl-5 text-warn">{step.advice}</span>}
        </li>
      ))}
    </ol>
  );
}
