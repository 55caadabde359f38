// The live connection, for components.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { EventBody } from "@/api/types";
import { type LiveState, live } from "./live";

export function useLive(): LiveState {
  return useSyncExternalStore(live.subscribe, live.snapshot);
}

/** Hears every event while the component is there. */
export function useEvents(hear: (event: EventBody) => void): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => live.hear((event) => latest.current(event)), []);
}
