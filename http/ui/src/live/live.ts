// The one live connection of the page: every event but output and what gateways say, in order, by position. It says which views are out of
// date, and nothing else: what a view shows always comes from the server. Output has its own way (compare/output).
import type { QueryClient } from "@tanstack/react-query";
import { address, getJson, whenSignedOut } from "@/api/client";
import { ProblemError } from "@/api/problem";
import type { EventBody, Seq } from "@/api/types";
import { touchedBy } from "./touched";

/** Views are read again at most this often; a busy run changes many times a second. */
const REFRESH_MS = 250;
/** Waits between tries to connect again: quick at first, never long. */
const RETRY_MS = [250, 500, 1_000, 2_000, 4_000] as const;

export type Connection = "connecting" | "live" | "lost" | "signed-out";

export type LiveState = {
  connection: Connection;
  /** The last position heard of. */
  seq: Seq;
  /** When the page last heard from the server, by this machine's clock. */
  heardAtMs: number;
};

type Listener = () => void;
type EventListener = (event: EventBody) => void;

class Live {
  private state: LiveState = { connection: "connecting", seq: 0, heardAtMs: Date.now() };
  private readonly listeners = new Set<Listener>();
  private readonly eventListeners = new Set<EventListener>();
  private source: EventSource | undefined;
  private client: QueryClient | undefined;
  private tries = 0;
  private readonly touched = new Set<string>();
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private retrying: ReturnType<typeof setTimeout> | undefined;

  readonly subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): LiveState => this.state;

  /** Hears every event from now on; returns the way to stop. */
  readonly hear = (listener: EventListener): (() => void) => {
    this.eventListeners.add(listener);
    return () => this.eventListeners.delete(listener);
  };

  start(client: QueryClient): void {
    this.client = client;
    whenSignedOut(() => this.signedOut());
    void this.connect();
    window.addEventListener("online", () => this.connectNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.state.connection === "lost") this.connectNow();
    });
  }

  /** After signing in: connects, and reads everything again. */
  signedIn(): void {
    this.client?.clear();
    // Known at once, or the page would be sent back to where one signs in.
    this.set({ ...this.state, connection: "connecting" });
    this.connectNow();
  }

  private connectNow(): void {
    this.tries = 0;
    void this.connect();
  }

  private async connect(): Promise<void> {
    clearTimeout(this.retrying);
    this.close();
    try {
      const health = await getJson("/health");
      // Another log, or one that was put back: what is on the page belongs to the past.
      const isOther = health.seq < this.state.seq;
      const from = (isOther || this.state.seq === 0 ? health.seq : this.state.seq) + 1;
      if (isOther) void this.client?.invalidateQueries();
      this.open(from, health.seq);
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 401) this.signedOut();
      else this.lost();
    }
  }

  private open(from: Seq, head: Seq): void {
    const source = new EventSource(address("/events/stream", { from, kind: "!attempt.output,!gateway.frame" }));
    this.source = source;
    source.onopen = () => {
      const wasLost = this.state.connection === "lost";
      this.tries = 0;
      this.set({ connection: "live", seq: Math.max(head, from - 1), heardAtMs: Date.now() });
      // Output is not on this connection, so views that show its end may be behind even when no event was missed.
      if (wasLost) void this.client?.invalidateQueries();
    };
    source.onmessage = (message: MessageEvent<string>) => this.take(JSON.parse(message.data) as EventBody);
    source.onerror = () => this.lost();
  }

  private take(event: EventBody): void {
    this.set({ ...this.state, seq: Math.max(event.seq, this.state.seq), heardAtMs: Date.now() });
    for (const path of touchedBy(event)) this.touched.add(path);
    this.refreshing ??= setTimeout(() => this.refresh(), REFRESH_MS);
    for (const listener of this.eventListeners) listener(event);
  }

  private refresh(): void {
    this.refreshing = undefined;
    const touched = [...this.touched];
    this.touched.clear();
    void this.client?.invalidateQueries({
      // A view of the past does not change.
      predicate: ({ queryKey: [kind, path, , asOf] }) =>
        kind === "view" &&
        asOf === undefined &&
        typeof path === "string" &&
        touched.some((start) => path.startsWith(start)),
    });
  }

  private lost(): void {
    this.close();
    const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries += 1;
    // One short break is not worth alarming anybody.
    if (this.tries > 1) this.set({ ...this.state, connection: "lost" });
    this.retrying = setTimeout(() => void this.connect(), wait);
  }

  private signedOut(): void {
    this.close();
    clearTimeout(this.retrying);
    this.set({ ...this.state, connection: "signed-out" });
  }

  private close(): void {
    this.source?.close();
    this.source = undefined;
  }

  private set(state: LiveState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export const live = new Live();
