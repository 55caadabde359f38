// The moment the whole page shows. It stands in the address as `as_of`, so a link shows the same to everybody.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { Search } from "@/routes";

export type Replay = {
  /** A position or a time; nothing when the page shows now. */
  asOf: string | undefined;
  /** Shows another moment, on the same page. */
  goTo: (moment: string | number) => void;
  /** Back to now. */
  leave: () => void;
};

export function useReplay(): Replay {
  const search: { as_of?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const asOf = search.as_of;
  const goTo = useCallback(
    (moment: string | number) => {
      void navigate({
        to: ".",
        search: (before: Search) => ({ ...before, as_of: String(moment) }),
        replace: asOf !== undefined,
      });
    },
    [navigate, asOf],
  );
  const leave = useCallback(() => {
    void navigate({ to: ".", search: (before: Search) => ({ ...before, as_of: undefined }) });
  }, [navigate]);
  return useMemo(() => ({ asOf, goTo, leave }), [asOf, goTo, leave]);
}
