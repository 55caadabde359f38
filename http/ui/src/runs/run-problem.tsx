// Why a run cannot be shown. One that is not there is no failure: it says so, and where the others are.
import { Link } from "@tanstack/react-router";
import { problemOf } from "@/api/problem";
import { Button, buttonLook } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { useReplay } from "@/replay/replay";

type Props = { run: string; error: unknown; onRetry: () => void };

export function RunProblem({ run, error, onRetry }: Props) {
  const { asOf, leave } = useReplay();
  if (problemOf(error).status !== 404) return <ProblemNotice className="m-4" error={error} onRetry={onRetry} />;
  const runs = (
    <Link to="/" className={buttonLook("plain")}>
      To the runs
    </Link>
  );
  if (asOf === undefined) {
    return (
      <Empty title={`There is no run ${run}`} action={runs}>
        Its id is not right, or it belongs to another installation.
      </Empty>
    );
  }
  return (
    <Empty
      title={`There was no run ${run} then`}
      action={
        <span className="flex flex-wrap justify-center gap-2">
          <Button onClick={leave}>Back to now</Button>
          {runs}
        </span>
      }
    >
      The page shows an earlier moment; the run may have been asked for later.
    </Empty>
  );
}
