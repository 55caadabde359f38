// An error: what is wrong, and what to do.
import { TriangleAlert } from "lucide-react";
import { problemOf } from "@/api/problem";
import { sentence } from "@/format/sentence";
import { Button } from "./button";
import { classes } from "./classes";

type Props = { error: unknown; onRetry?: () => void; className?: string };

export function ProblemNotice({ error, onRetry, className }: Props) {
  const problem = problemOf(error);
  return (
    <div
      role="alert"
      className={classes("flex items-start gap-3 rounded-md border border-bad/40 bg-bad-wash px-3 py-2", className)}
    >
      <TriangleAlert size={16} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="break-words font-medium">{sentence(problem.detail)}</p>
        {problem.hint && <p className="break-words text-soft">{sentence(problem.hint)}</p>}
      </div>
      {onRetry && (
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}
