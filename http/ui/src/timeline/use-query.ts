// What stands in the address behind the path, and the way to change it.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { Search } from "@/routes";

export type Query = Record<string, string | undefined>;

/** The query, and a change of it that leaves everything else as it is. Changes of one view do not fill the history. */
export function useQueryState(): [Query, (change: Query) => void] {
  const query: Query = useSearch({ strict: false });
  const navigate = useNavigate();
  const change = useCallback(
    (wanted: Query) => {
      void navigate({ to: ".", search: (before: Search) => ({ ...before, ...emptied(wanted) }), replace: true });
    },
    [navigate],
  );
  return [query, change];
}

/** What is empty does not stand in an address. */
function emptied(query: Query): Query {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, value === "" ? undefined : value]));
}
