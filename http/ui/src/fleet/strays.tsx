// Has every provider looked at for sandboxes nobody has a right to, and says what came of it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { command } from "@/api/client";
import { plural } from "@/format/numbers";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { useMay } from "@/replay/may";

export function Strays() {
  const mayLook = useMay("sandboxes");
  const client = useQueryClient();
  const looking = useMutation({
    mutationFn: () => command("POST", "/sandboxes/reap"),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view"] }),
  });
  if (!mayLook) return null;
  return (
    <div className="mt-2 flex flex-wrap items-baseline gap-x-4 gap-y-2">
      <Button size="small" disabled={looking.isPending} onClick={() => looking.mutate()}>
        {looking.isPending ? "…" : "Look for what was left behind"}
      </Button>
      <span role="status" className="min-w-0 break-words text-soft">
        {looking.data &&
          (looking.data.removed.length === 0
            ? "Nothing was left behind."
            : `Removed ${plural(looking.data.removed.length, "sandbox", "sandboxes")}.`)}
        {looking.data?.unanswered.map(({ provider, reason }) => (
          <span key={provider} className="block text-warn">
            {provider} is not known: {reason}
          </span>
        ))}
      </span>
      {looking.isError && <ProblemNotice error={looking.error} />}
    </div>
  );
}
