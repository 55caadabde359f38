// The run that is being written: it survives a reload and whatever page is looked at meanwhile, until it is started or
// thrown away.
import { useState } from "react";
import type { Draft } from "./draft";
import { keepUnsent, remembered, unsent } from "./remembered";

export type Writing = {
  draft: Draft;
  /** How it is kept; nothing when nothing was written. */
  standing: "kept" | "not-kept" | undefined;
  set: (change: Partial<Draft>) => void;
  /** Back to an empty task. */
  discard: () => void;
};

export function useDraft(): Writing {
  const [{ draft, standing }, setState] = useState<Pick<Writing, "draft" | "standing">>(() => {
    const draft = unsent();
    return draft ? { draft, standing: "kept" } : { draft: remembered(), standing: undefined };
  });
  const set = (change: Partial<Draft>) => {
    const next = { ...draft, ...change };
    const isWritten = JSON.stringify(next) !== JSON.stringify(remembered());
    const isKept = keepUnsent(isWritten ? next : undefined);
    setState({ draft: next, standing: isWritten ? (isKept ? "kept" : "not-kept") : undefined });
  };
  const discard = () => {
    keepUnsent(undefined);
    setState({ draft: remembered(), standing: undefined });
  };
  return { draft, standing, set, discard };
}
