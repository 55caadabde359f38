// Who is asking, and what they may do. The page shows what the server allows and holds no rule of its own.
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { getJson } from "./client";
import type { Me } from "./types";

export function useMe(): UseQueryResult<Me, Error> {
  return useQuery<Me, Error>({
    queryKey: ["view", "/me", {}, undefined],
    queryFn: ({ signal }) => getJson("/me", {}, signal),
  });
}
