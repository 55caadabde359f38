// Plays the past: goes from event to event, resting as long as it took, and shows what is printed meanwhile.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Params } from "@/api/client";
import type { Entry, Seq } from "@/api/types";
import { after, before, nextStop, type Speed } from "./steps";

/** Events read ahead while playing. */
const AHEAD = 200;

export type Player = {
  isPlaying: boolean;
  toggle: () => void;
  speed: Speed;
  setSpeed: (speed: Speed) => void;
  /** One event forwards or back. */
  step: (by: 1 | -1) => void;
};

export function usePlayer(
  at: Seq,
  atUs: number | undefined,
  last: Seq,
  params: Params,
  goTo: (seq: Seq) => void,
): Player {
  const [isPlaying, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<Speed>(1);
  const ahead = useRef<Entry[]>([]);

  useEffect(() => {
    if (!isPlaying) return undefined;
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const go = async () => {
      ahead.current = ahead.current.filter((entry) => entry.seq > at);
      if (ahead.current.length === 0) ahead.current = await after(at, params, AHEAD);
      if (leaving.signal.aborted) return;
      const next = ahead.current[0];
      if (!next || next.seq > last) {
        setPlaying(false);
        return;
      }
      const stop = nextStop(at, atUs ?? next.at_us, next, speed);
      timer = setTimeout(() => goTo(stop.seq), stop.afterMs);
    };
    go().catch(() => setPlaying(false));
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [isPlaying, at, atUs, last, params, speed, goTo]);

  const step = useCallback(
    (by: 1 | -1) => {
      setPlaying(false);
      const found = by === 1 ? after(at, params, 1).then((rows) => rows[0]) : before(at, params);
      found.then((entry) => entry && goTo(entry.seq)).catch(() => undefined);
    },
    [at, params, goTo],
  );
  return { isPlaying, toggle: useCallback(() => setPlaying((was) => !was), []), speed, setSpeed, step };
}
