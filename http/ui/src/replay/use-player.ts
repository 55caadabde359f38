// Plays the past: goes from event to event, resting as long as it took.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Params } from "@/api/client";
import type { Entry, Seq } from "@/api/types";
import { after, before, rest, type Speed } from "./steps";

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
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const go = async () => {
      ahead.current = ahead.current.filter((entry) => entry.seq > at);
      if (ahead.current.length === 0) ahead.current = await after(at, params, AHEAD);
      if (stop.signal.aborted) return;
      const next = ahead.current[0];
      if (!next || next.seq > last) {
        setPlaying(false);
        return;
      }
      timer = setTimeout(() => goTo(next.seq), rest(atUs ?? next.at_us, next.at_us, speed));
    };
    go().catch(() => setPlaying(false));
    return () => {
      stop.abort();
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
