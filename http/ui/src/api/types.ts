// Words of the API, as the page uses them.

export type Slot = string;
export type Seq = number;

export type RunState =
  | "requested"
  | "preparing"
  | "racing"
  | "deciding"
  | "delivering"
  | "delivered"
  | "undelivered"
  | "undecided"
  | "cancelling"
  | "cancelled"
  | "failed";

export type Strategy = "all" | "race" | "best";

export type AttemptCounts = {
  total: number;
  queued: number;
  starting: number;
  setup: number;
  running: number;
  collecting: number;
  checking: number;
  retrying: number;
  cancelling: number;
  passed: number;
  checks_failed: number;
  unchanged: number;
  agent_failed: number;
  timed_out: number;
  cancelled: number;
  failed: number;
};

export type RunRow = {
  id: string;
  title: string;
  state: RunState;
  strategy: Strategy;
  repository: string;
  base_ref: string;
  requested_at_us: number;
  requested_seq: Seq;
  by: string;
  finished_at_us: number | null;
  attempts: AttemptCounts;
  winner: Slot | null;
  last_seq: Seq;
  last_event_at_us: number;
  can: string[];
};

export type RunPage = { rows: RunRow[]; next?: Seq | null; next_before?: Seq | null };

export type Exit =
  | { code: number }
  | { signal: number }
  | { over_limit: { limit: string } }
  | { not_started: { reason: string } }
  | "timed_out"
  | "killed"
  | "lost";

export type Outcome =
  | "passed"
  | "unchanged"
  | "timed_out"
  | { checks_failed: { failed: number } }
  | { agent_failed: { exit: Exit } }
  | { cancelled: { reason: string } }
  | { failed: { reason: string } };

export type AttemptState =
  | { name: "queued"; reason: string | null }
  | { name: "starting" | "setup" | "running" | "collecting" }
  | { name: "checking"; index: number }
  | { name: "retrying"; not_before_ms: number; reason: string }
  | { name: "cancelling"; reason: string }
  | { name: "finished"; outcome: Outcome };

export type DiffStat = { files: number; added: number; removed: number };
export type OutputTail = { text: string; bytes_before: number };
export type Verdict = {
  winner: Slot | null;
  judge: "checks" | "human";
  reason: string;
  by: string;
  at_us: number;
  seq: Seq;
};

export type Usage = {
  tokens_in?: number | null;
  tokens_out?: number | null;
  cost_usd_micros?: number | null;
  source: "reported" | "estimated" | "unknown";
};

/** A hunk of a synthesis, or a whole file of it; hunks are counted from 1. */
export type TakenHunk = { slot: Slot; path: string; hunk: number | null; header: string; hash: string | null };

export type Column = {
  slot: Slot;
  attempt: string;
  agent: string | null;
  command: string | null;
  model: string | null;
  sandbox: string;
  state: AttemptState;
  waits_for: string | null;
  elapsed_ms: number;
  checks_passed: number;
  checks_failed: number;
  checks_total: number;
  stat: DiffStat | null;
  patch: { hash: string; bytes: number } | null;
  collect_failure: string | null;
  agent_exit: Exit | null;
  fence: string | null;
  output_tail: OutputTail;
  branch: string | null;
  is_winner: boolean;
  can: string[];
  usage?: Usage | null;
  /** For an attempt that was put together of others. */
  made_of?: TakenHunk[];
  is_discarded?: boolean;
};

export type LineCounts = { added: number | null; removed: number | null };
export type FileRow = { path: string; class: "all" | "some" | "one"; by: Record<Slot, LineCounts> };
export type PatchGroup = { patch_hash: string | null; slots: Slot[] };

export type Comparison = {
  run: string;
  title: string;
  state: RunState;
  strategy: Strategy;
  base_ref: string;
  base_commit: string;
  checks: string[];
  verdict: Verdict | null;
  columns: Column[];
  files: FileRow[];
  files_cut: boolean;
  groups: PatchGroup[];
  /** Put aside, and not among the columns. */
  discarded?: Slot[];
  /** Whether names and output are hidden. */
  blind?: boolean;
  usage?: Usage | null;
};

export type FleetTotals = {
  alive: number;
  intended: number;
  destroyed: number;
  failed: number;
  reaped: number;
  leaks: number;
  waiting: number;
};
export type FleetView = { totals: FleetTotals };

export type Health = {
  version: string;
  pid: number;
  seq: Seq;
  data_dir: string;
  fence: string;
  started_at_us: number;
};

export type Role = "viewer" | "operator" | "approver" | "admin";
export type Me = { name: string; role: Role; can: string[]; via: "socket" | "token" | "session" };

/** A piece of output as it crosses the wire. */
export type OutputBody = {
  epoch: number;
  phase: "setup" | "agent" | { check: number };
  channel: "out" | "err";
  offset: number;
  text?: string | null;
  base64?: string | null;
};

/** An event as it crosses the wire. */
export type EventBody = {
  seq: Seq;
  stream: string;
  stream_seq: number;
  id: string;
  kind: string;
  at: string;
  at_us: number;
  actor: string;
  cause: string | null;
  correlation: string;
  text: string;
  payload: { fields: unknown } | { output: OutputBody } | { opaque: string };
};
