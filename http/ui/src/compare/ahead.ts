// What the compare page needs, asked for while its own code is still on the way: what is compared, and the code of the
// body that will show it. A link that is only pointed at does the same.
import { queryClient } from "@/api/query-client";
import { viewOf } from "@/live/use-view";
import type { Search } from "@/routes";
import { readState } from "./state";

export function askAhead(run: string, search: Search): void {
  const { body, isBlind } = readState(search);
  // Failures are told by the page, which asks the same.
  void queryClient.prefetchQuery(viewOf(`/runs/${run}/compare`, { blind: isBlind || undefined }, search.as_of));
  void queryClient.prefetchQuery(viewOf(`/runs/${run}`, {}, search.as_of));
  if (body === undefined || body === "output") void import("./output/output-body").catch(() => undefined);
  if (body === undefined || body === "diff") void import("./diff/diff-body").catch(() => undefined);
}
