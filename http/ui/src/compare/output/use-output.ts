// The output of one attempt for a component: its end now, and what is printed from now on.
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useReplay } from "@/replay/replay";
import { followOutput } from "./follow";
import { type OutputWindow, outputOf, type Snapshot } from "./window";

export function useOutput(attempt: string, isOver: boolean): [Snapshot, OutputWindow] {
  const { asOf } = useReplay();
  const output = useMemo(() => outputOf(attempt, asOf), [attempt, asOf]);
  useEffect(() => {
    // Following begins before reading, so that nothing is missed in between.
    const stop = isOver || asOf !== undefined ? undefined : followOutput(attempt, (piece) => output.take(piece));
    let idle: number | undefined;
    void output.toEnd().then(() => {
      // Whoever scrolls up finds it there.
      idle = window.requestIdleCallback?.(() => void output.earlier());
    });
    return () => {
      stop?.();
      if (idle !== undefined) window.cancelIdleCallback(idle);
    };
  }, [attempt, asOf, isOver, output]);
  return [useSyncExternalStore(output.subscribe, output.snapshot), output];
}
