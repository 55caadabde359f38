// What became of the question a link names, or somebody answered a moment too late: who settled it, how, and when.
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { OverRow } from "./over-list";

export function SettledAsk({ id, onClose }: { id: string; onClose: () => void }) {
  const { data, error, isPending, refetch } = useView("/approvals", { over: true });
  const ask = data?.over.find((over) => over.id === id);
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (isPending) return <SkeletonRows />;
  return (
    <section
      aria-label="The question you came for"
      role="status"
      className="rounded-md border border-accent bg-surface"
    >
      <header className="flex items-center gap-3 px-4 pt-3">
        <p className="font-semibold">
          {ask ? "This question is settled; no other answer counts" : "This question is not among the latest ones"}
        </p>
        <Button size="small" className="ml-auto" onClick={onClose}>
          Close
        </Button>
      </header>
      {ask ? (
        <ul>
          <OverRow ask={ask} />
        </ul>
      ) : (
        <p className="break-all px-4 py-3 text-soft">{id} was settled long ago, or its gateway never asked it.</p>
      )}
    </section>
  );
}
