// What the compare page shows, all of it in the address: a link shows the same to everybody.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { Slot } from "@/api/types";
import type { Search } from "@/routes";
import { type ChosenHunk, hunksFromText, textOfHunks } from "./synthesis/chosen";

export const BODIES = ["output", "diff", "checks", "files", "ab"] as const;
export type Body = (typeof BODIES)[number];
export const LAYOUTS = ["split", "grid", "focus"] as const;
export type Layout = (typeof LAYOUTS)[number];

export type CompareState = {
  /** Which body the columns show; nothing when nobody chose yet. */
  body: Body | undefined;
  layout: Layout;
  /** The attempt in focus. */
  at: Slot | undefined;
  /** For A against B. */
  from: Slot | undefined;
  to: Slot | undefined;
  isBlind: boolean;
  /** A file that is to be seen. */
  path: string | undefined;
  /** Bodies scroll by themselves. */
  isLoose: boolean;
  /** Output is shown as it was printed, also where an agent prints JSON. */
  isRaw: boolean;
  isChoosing: boolean;
  chosen: ChosenHunk[];
};

export type CompareChange = Partial<CompareState>;

function oneOf<T extends string>(known: readonly T[], text: string | undefined): T | undefined {
  return known.find((word) => word === text);
}

export function readState(search: Search): CompareState {
  return {
    body: oneOf(BODIES, search.view),
    layout: oneOf(LAYOUTS, search.layout) ?? "split",
    at: search.at,
    from: search.from,
    to: search.to,
    isBlind: search.blind === "1",
    path: search.path,
    isLoose: search.loose === "1",
    isRaw: search.raw === "1",
    isChoosing: search.synthesize === "1",
    chosen: hunksFromText(search.take),
  };
}

export function writeState(state: CompareState): Search {
  return {
    view: state.body,
    layout: state.layout === "split" ? undefined : state.layout,
    at: state.at,
    from: state.from,
    to: state.to,
    blind: state.isBlind ? "1" : undefined,
    path: state.path,
    loose: state.isLoose ? "1" : undefined,
    raw: state.isRaw ? "1" : undefined,
    synthesize: state.isChoosing ? "1" : undefined,
    take: textOfHunks(state.chosen),
  };
}

export function useCompareState(): [CompareState, (change: CompareChange) => void] {
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const state = useMemo(() => readState(search), [search]);
  const change = useCallback(
    (changes: CompareChange) => {
      const next = (before: Search): Search => ({
        as_of: before.as_of,
        ...writeState({ ...readState(before), ...changes }),
      });
      void navigate({ to: ".", search: next, replace: true });
    },
    [navigate],
  );
  return [state, change];
}

/** Names in an address mean other attempts when a comparison becomes blind, or ends being it. */
export const NOBODY: CompareChange = { at: undefined, from: undefined, to: undefined, chosen: [] };

/** Into a blind comparison, or out of it. Output says who printed it, so what is looked at is the diff. */
export function blindSwitch(state: CompareState, body: Body): CompareChange {
  const shown = !state.isBlind && body === "output" ? "diff" : state.body;
  return { ...NOBODY, isBlind: !state.isBlind, body: shown };
}
