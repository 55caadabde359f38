// What the server says of events and of time, as the timeline uses it.
import type { Exit, Seq, Slot } from "@/api/types";

/** One event as a line. */
export type Entry = {
  seq: Seq;
  at_us: number;
  stream: string;
  id: string;
  kind: string;
  actor: string;
  run: string | null;
  attempt: string | null;
  text: string;
  cause: string | null;
  cause_seq: Seq | null;
};

export type EntryPage = { rows: Entry[]; next: Seq | null };

export type RunSpan = { phase: "preparing" | "racing" | "delivering"; start_us: number; end_us: number | null };

export type SpanPhase = "queued" | "starting" | "setup" | "agent" | "collecting" | "retrying" | { check: number };

export type Span = {
  phase: SpanPhase;
  epoch: number;
  start_us: number;
  end_us: number | null;
  exit: Exit | null;
  output_events: number;
  out_bytes: number;
  err_bytes: number;
};

export type MarkSort = "requested" | "failure" | "passed" | "cancel" | "verdict" | "delivered" | "undelivered";

export type Mark = { seq: Seq; at_us: number; sort: MarkSort; slot: Slot | null };

export type AttemptLane = { slot: Slot; spans: Span[]; spans_dropped: number };

export type RunLanes = {
  run: string;
  start_us: number;
  end_us: number | null;
  spans: RunSpan[];
  marks: Mark[];
  attempts: AttemptLane[];
};

export type RunTimeline = { lanes: RunLanes; page: EntryPage };
