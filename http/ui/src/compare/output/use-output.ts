// The output of one attempt for a component: its end now, and what is printed from now on.
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { live } from "@/live/live";
import { useReplay } from "@/replay/replay";
import { followOutput } from "./follow";
import { type OutputWindow, outputOf, type Snapshot } from "./window";

export function useOutput(attempt: string, isOver: boolean, inWords: boolean): [Snapshot, OutputWindow] {
  const { asOf } = useReplay();
  const output = useMemo(() => outputOf(attempt, asOf, inWords), [attempt, asOf, inWords]);
  // Following begins before reading, so that nothing is missed in between.
  useEffect(() => {
    if (isOver || asOf !== undefined) return;
    return followOutput(attempt, (piece) => output.take(piece));
  }, [attempt, asOf, isOver, output]);
  useEffect(() => {
    let isGone = false;
    void output.toEnd().then(() => {
      // Whoever scrolls up finds it there.
      if (!isGone) window.requestIdleCallback?.(() => isGone || void output.earlier());
    });
    return () => {
      isGone = true;
    };
  }, [output]);
  // What was printed last may be on its way when the end is known.
  const wasOver = useRef(isOver);
  useEffect(() => {
    if (isOver && !wasOver.current) void output.catchUp();
    wasOver.current = isOver;
  }, [isOver, output]);
  const isLive = useSyncExternalStore(live.subscribe, () => live.snapshot().connection === "live");
  useEffect(() => {
    if (isLive && output.snapshot().error !== undefined) void output.toEnd();
  }, [isLive, output]);
  return [useSyncExternalStore(output.subscribe, output.snapshot), output];
}
