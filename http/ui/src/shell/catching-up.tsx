// Says that views are behind the log, as while they are built anew: what is shown is of then, not of now.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { History } from "lucide-react";
import { getJson } from "@/api/client";
import type { Health } from "@/api/types";
import { count } from "@/format/numbers";
import { useReplay } from "@/replay/replay";

/** How often it is asked again while the views catch up. */
const AGAIN_MS = 1_000;
const KEY = ["catching-up"];

export function CatchingUp() {
  const { asOf } = useReplay();
  const client = useQueryClient();
  const { data } = useQuery<Health, Error>({
    queryKey: KEY,
    queryFn: async ({ signal }) => {
      const wasBehind = client.getQueryData<Health>(KEY)?.catching_up !== undefined;
      const health = await getJson("/health", {}, signal);
      // What was read meanwhile is of then.
      if (wasBehind) void client.invalidateQueries({ queryKey: ["view"] });
      return health;
    },
    refetchInterval: ({ state }) => (state.data?.catching_up === undefined ? false : AGAIN_MS),
  });
  if (asOf !== undefined || data?.catching_up === undefined) return null;
  return (
    <div role="status" className="flex h-9 shrink-0 items-center gap-2 border-line border-b bg-raised px-4">
      <History size={14} aria-hidden className="text-warn" />
      <span className="truncate">
        catching up: Seq {count(data.catching_up)} of {count(data.seq)}
      </span>
      <span className="text-faint max-sm:hidden">what is shown is as of then</span>
    </div>
  );
}
