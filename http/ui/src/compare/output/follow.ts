// What attempts print, live: one connection for all attempts of a run that are looked at.
import { address } from "@/api/client";
import type { EventBody, Piece } from "@/api/types";

type Hear = (piece: Piece) => void;
type Following = { source: EventSource; attempts: Map<string, Set<Hear>> };

const runs = new Map<string, Following>();

/** Hears every piece that an attempt prints from now on; returns the way to stop. */
export function followOutput(attempt: string, hear: Hear): () => void {
  const run = attempt.split(".")[0] ?? attempt;
  const following = runs.get(run) ?? open(run);
  const ears = following.attempts.get(attempt) ?? new Set();
  following.attempts.set(attempt, ears.add(hear));
  return () => {
    ears.delete(hear);
    if (ears.size === 0) following.attempts.delete(attempt);
    if (following.attempts.size === 0) {
      following.source.close();
      runs.delete(run);
    }
  };
}

function open(run: string): Following {
  // The browser connects again by itself and says which event was the last; a gap would be noticed by the window.
  const source = new EventSource(address("/events/stream", { kind: "attempt.output", run }));
  const following: Following = { source, attempts: new Map() };
  source.onmessage = (message: MessageEvent<string>) => {
    const event = JSON.parse(message.data) as EventBody;
    if (!("output" in event.payload)) return;
    const piece: Piece = { ...event.payload.output, stream_seq: event.stream_seq, seq: event.seq };
    for (const hear of following.attempts.get(event.stream.replace(/^output\//, "")) ?? []) hear(piece);
  };
  runs.set(run, following);
  return following;
}
