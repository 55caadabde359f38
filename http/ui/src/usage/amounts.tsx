// Amounts that say how well they are known.
import { count, dollars, plural, short } from "@/format/numbers";
import { type Sum, tokens } from "./sums";

/** What it cost; `?` when nobody told any cost. */
export function CostText({ sum }: { sum: Sum }) {
  const of = sum.turns + sum.attempts;
  if (of > 0 && sum.uncosted === of) return <Unknown why="no cost was told" />;
  const why = sum.uncosted > 0 ? `no cost was told of ${count(sum.uncosted)} of ${count(of)}` : told(sum);
  return (
    <span title={why}>
      {mark(sum, sum.uncosted)}
      {dollars(sum.costMicros)}
    </span>
  );
}

export function TokensText({ sum }: { sum: Sum }) {
  const of = sum.turns + sum.attempts;
  if (of > 0 && sum.untold === of) return <Unknown why="nothing was told" />;
  const parts = `${count(sum.tokensIn)} read (${count(sum.tokensCached)} of them from a cache), ${count(sum.tokensOut)} written`;
  const why = sum.untold > 0 ? `${parts}; of ${count(sum.untold)} of ${count(of)} nothing was told` : parts;
  return (
    <span title={why}>
      {mark(sum, sum.untold)}
      {short(tokens(sum))}
    </span>
  );
}

/** How many, of which kind. */
export function Count({ sum }: { sum: Sum }) {
  const words = [sum.turns > 0 && plural(sum.turns, "answer"), sum.attempts > 0 && plural(sum.attempts, "attempt")];
  return words.filter(Boolean).join(", ") || "0";
}

function mark(sum: Sum, lacking: number): string {
  if (lacking > 0) return "≥ ";
  return sum.isEstimated ? "~" : "";
}

function told(sum: Sum): string {
  return sum.isEstimated ? "summed up from what was said on the way" : "as it was told";
}

function Unknown({ why }: { why: string }) {
  return (
    <span className="text-faint" title={why}>
      ?
    </span>
  );
}
