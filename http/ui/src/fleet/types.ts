// What the server says of sandboxes and of who waits.
import type { FleetTotals, Seq } from "@/api/types";

export type SandboxState = "intended" | "alive" | "failed";

export type Sandbox = {
  key: string;
  attempt: string;
  epoch: number;
  state: SandboxState;
  fence: string | null;
  intended_at_us: number;
  created_at_us: number | null;
  age_ms: number;
  right_ended_at_us: number | null;
  is_leak: boolean;
  /** What it has cost so far, when its provider says. */
  cost_usd_micros?: number | null;
};

export type Provider = { name: string; sandboxes: Sandbox[]; totals: FleetTotals };

export type Waiting = {
  attempt: string;
  provider: string;
  reason: string | null;
  since_us: number;
  waiting_ms: number;
  not_before_ms: number | null;
};

export type Fleet = { providers: Provider[]; queue: Waiting[]; totals: FleetTotals };

/** How far what is published is behind the log. */
export type Relay = {
  server: string;
  connected: boolean;
  head: Seq;
  acked: Seq;
  last_error: string | null;
};

export type Health = {
  seq: Seq;
  fence: string;
  data_dir: string;
  version: string;
  started_at_us: number;
  relay?: Relay;
};
