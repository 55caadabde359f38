// The one way to a view: as of now and kept fresh by the live connection, or as of the moment that is replayed.
import { keepPreviousData, queryOptions, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { getJson, type Params } from "@/api/client";
import type { Answer, JsonPath } from "@/api/paths";
import { useReplay } from "@/replay/replay";

type Options<P extends string> = {
  /** Off while something it needs is not known. */
  enabled?: boolean;
  /** A view that knows nothing of moments, as settings. */
  timeless?: boolean;
  /** Reads it again that often: for what changes without an event. It may depend on what is shown. */
  everyMs?: number | ((shown: Answer<P> | undefined) => number);
  /** Leaves what was shown while other parameters are read, as when typing in a search field. */
  keep?: boolean;
};

/** How a view is asked for and kept; whoever asks in advance asks for the same. */
export function viewOf<P extends string>(path: JsonPath<P>, params: Params, moment: string | undefined) {
  return queryOptions<Answer<P>, Error>({
    queryKey: ["view", path, params, moment],
    queryFn: ({ signal }) => getJson<P>(path, { ...params, as_of: moment }, signal),
    staleTime: moment === undefined ? 30_000 : Number.POSITIVE_INFINITY,
  });
}

export function useView<P extends string>(
  path: JsonPath<P>,
  params: Params = {},
  options: Options<P> = {},
): UseQueryResult<Answer<P>, Error> {
  const { asOf } = useReplay();
  const moment = options.timeless ? undefined : asOf;
  const { everyMs = false } = options;
  return useQuery<Answer<P>, Error>({
    ...viewOf<P>(path, params, moment),
    enabled: options.enabled ?? true,
    refetchInterval: (query) => {
      if (moment !== undefined) return false;
      return typeof everyMs === "function" ? everyMs(query.state.data) : everyMs;
    },
    // While a scrubber moves, the moment before stays until the next one is there.
    ...(options.keep || moment !== undefined ? { placeholderData: keepPreviousData } : {}),
  });
}
