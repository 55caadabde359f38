// The socket of a connection through the door: does what `line` says is to be done. One per gateway for the whole page;
// it is there while somebody uses it.
import { getJson } from "@/api/client";
import { ProblemError } from "@/api/problem";
import { type CallRefusal, readFrame, type Told } from "./frames";
import { type Effect, type Line, NEW, type Step, step, type Want } from "./line";

/** How long a connection nobody uses is kept: the next page may want it. */
const KEEP_MS = 5_000;

/** A call that was refused, as a problem a person can read. */
function problem({ code, message }: CallRefusal): ProblemError {
  return new ProblemError({ type: "/problems/gateway", title: code, status: 0, detail: message });
}

type Waiting = { resolve: (payload: unknown) => void; reject: (error: Error) => void };
/** What somebody wants to hear. */
export type Hearer = { wants: readonly Want[]; tell: (event: Told) => void; anew: () => void };

export class Link {
  private line: Line = NEW;
  private readonly listeners = new Set<() => void>();
  private readonly hearers = new Set<Hearer>();
  private readonly waiting = new Map<string, Waiting>();
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private calls = 0;

  constructor(private readonly gateway: string) {}

  readonly snapshot = (): Line => this.line;

  /** Uses the connection until the way back is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.wake();
    return () => {
      this.listeners.delete(listener);
      this.rest();
    };
  };

  /** Hears every event, and when everything is to be read anew; returns the way to stop. */
  hear(hearer: Hearer): () => void {
    this.hearers.add(hearer);
    this.wants();
    return () => {
      this.hearers.delete(hearer);
      this.wants();
    };
  }

  /** Calls a method. Fails with a `ProblemError`. */
  async call(method: string, params: object): Promise<unknown> {
    const id = `c${++this.calls}`;
    return await new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.take({ in: "call", id, method, params });
    });
  }

  private wants(): void {
    const all = [...this.hearers].flatMap((hearer) => hearer.wants);
    const wants = [...new Map(all.map((want) => [JSON.stringify(want), want])).values()];
    this.take({ in: "wants", wants });
  }

  private wake(): void {
    clearTimeout(this.timer);
    if (!this.socket) this.open();
  }

  private rest(): void {
    if (this.listeners.size > 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.socket?.close();
      this.socket = undefined;
      this.take({ in: "closed", code: 1001, reason: "nobody uses it" });
      clearTimeout(this.timer);
      this.line = { ...NEW, wants: this.line.wants };
    }, KEEP_MS);
  }

  private open(): void {
    const scheme = window.location.protocol === "https:" ? "wss" : "ws";
    const address = `${scheme}://${window.location.host}/api/gateway/${encodeURIComponent(this.gateway)}/ws`;
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => this.take({ in: "opened" });
    socket.onmessage = (message: MessageEvent<unknown>) => {
      const frame = typeof message.data === "string" ? readFrame(message.data) : undefined;
      if (frame && this.socket === socket) this.take({ in: "heard", frame });
    };
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      // Asking for anything leads to where one signs in.
      if (code === 1008 && reason.startsWith("not signed in")) getJson("/me").catch(() => undefined);
      this.take({ in: "closed", code, reason });
    };
  }

  private take(input: Step): void {
    const [line, effects] = step(this.line, input);
    const isNews = line !== this.line;
    this.line = line;
    for (const effect of effects) this.perform(effect);
    if (isNews) for (const listener of this.listeners) listener();
  }

  private perform(effect: Effect): void {
    switch (effect.out) {
      case "send":
        this.socket?.send(effect.text);
        return;
      case "settle":
        this.settled(effect.id)?.resolve(effect.payload);
        return;
      case "refuse":
        this.settled(effect.id)?.reject(problem(effect.refusal));
        return;
      case "tell":
        for (const hearer of this.hearers) hearer.tell(effect.event);
        return;
      case "anew":
        for (const hearer of this.hearers) hearer.anew();
        return;
      case "retry":
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.listeners.size > 0 && this.wake(), effect.inMs);
        return;
      case "hang-up":
        this.socket?.close();
    }
  }

  private settled(id: string): Waiting | undefined {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    return waiting;
  }
}

const links = new Map<string, Link>();

/** The connection to a gateway. */
export function linkTo(gateway: string): Link {
  const known = links.get(gateway);
  if (known) return known;
  const link = new Link(gateway);
  links.set(gateway, link);
  return link;
}
