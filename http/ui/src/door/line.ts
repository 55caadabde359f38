// One connection to a gateway through the door, as a state and its steps: what was asked and is not answered yet, what is
// subscribed to at each connection anew, when to try again and when never. Pure; the socket and the clock are elsewhere.
import { type CallRefusal, connect, type Frame, type Greeting, greetingOf, request, type Told } from "./frames";

/** Waits before another try: 1 s, then half as long again each time, at most this. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 10_000;
/** Calls that may wait for their answers; the door takes no more either. */
export const CALLS_MAX = 32;
const HELLO = "hello";

export type Phase = "connecting" | "open" | "waiting" | "stopped";

/** What is asked for at each connection anew. */
export type Want = { method: string; params: object };

export type Line = {
  phase: Phase;
  /** Tries since it was open last. */
  tries: number;
  /** The number of the next call. */
  next: number;
  /** Calls without an answer: their ids. Subscriptions are not among them. */
  calls: ReadonlySet<string>;
  wants: readonly Want[];
  greeting: Greeting | undefined;
  /** Why it is not open, for people. */
  trouble: string | undefined;
};

export type Step =
  | { in: "opened" }
  | { in: "heard"; frame: Frame }
  | { in: "closed"; code: number; reason: string }
  | { in: "call"; id: string; method: string; params: object }
  | { in: "wants"; wants: readonly Want[] };

export type Effect =
  | { out: "send"; text: string }
  | { out: "settle"; id: string; payload: unknown }
  | { out: "refuse"; id: string; refusal: CallRefusal }
  | { out: "tell"; event: Told }
  /** What came before may have been missed: everything is to be read anew. */
  | { out: "anew" }
  | { out: "retry"; inMs: number }
  | { out: "hang-up" };

export const NEW: Line = {
  phase: "connecting",
  tries: 0,
  next: 1,
  calls: new Set(),
  wants: [],
  greeting: undefined,
  trouble: undefined,
};

const AWAY: CallRefusal = {
  code: "UNAVAILABLE",
  message: "there is no connection to the gateway; nothing was sent",
  details: { code: "REGATTA_NOT_CONNECTED" },
};
const BUSY: CallRefusal = {
  code: "UNAVAILABLE",
  message: "too many calls wait for their answers; nothing was sent",
  details: { code: "REGATTA_BUSY" },
};
const LOST: CallRefusal = {
  code: "UNAVAILABLE",
  message: "the connection was lost before the answer came; it may have been done: look before asking again",
  details: { code: "REGATTA_LOST" },
};

export function step(line: Line, input: Step): [Line, Effect[]] {
  switch (input.in) {
    case "opened":
      return [{ ...line, phase: "connecting" }, []];
    case "heard":
      return input.frame.type === "event" ? told(line, input.frame) : answered(line, input.frame);
    case "closed":
      return closed(line, input.code, input.reason);
    case "call":
      return called(line, input);
    case "wants":
      return wanted(line, input.wants);
  }
}

function told(line: Line, event: Told): [Line, Effect[]] {
  if (event.event === "connect.challenge") return [line, [{ out: "send", text: connect(HELLO) }]];
  return [line, line.phase === "open" ? [{ out: "tell", event }] : []];
}

function answered(line: Line, frame: Exclude<Frame, Told>): [Line, Effect[]] {
  if (frame.id === HELLO) return greeted(line, frame);
  // Of a subscription, or one that nobody waits for any more.
  if (!line.calls.has(frame.id)) return [line, []];
  const calls = new Set(line.calls);
  calls.delete(frame.id);
  const effect: Effect = frame.ok
    ? { out: "settle", id: frame.id, payload: frame.payload }
    : { out: "refuse", id: frame.id, refusal: frame.error };
  return [{ ...line, calls }, [effect]];
}

function greeted(line: Line, frame: Exclude<Frame, Told>): [Line, Effect[]] {
  if (!frame.ok) {
    const { message, details } = frame.error;
    const more = [details?.reason, details?.advice].filter((text) => typeof text === "string").join("; ");
    return [{ ...line, trouble: more || message }, []];
  }
  const greeting = greetingOf(frame.payload);
  if (!greeting)
    return [{ ...line, trouble: "the server speaks another protocol: reload the page" }, [{ out: "hang-up" }]];
  const open: Line = { ...line, phase: "open", tries: 0, greeting, trouble: undefined };
  const [subscribed, sent] = subscribe(open, open.wants);
  return [subscribed, [...sent, { out: "anew" }]];
}

function closed(line: Line, code: number, reason: string): [Line, Effect[]] {
  const lost = [...line.calls].map((id): Effect => ({ out: "refuse", id, refusal: LOST }));
  const isFinal = code === 1002 || (code === 1008 && !reason.startsWith("slow consumer"));
  const trouble = line.trouble ?? (reason || "the server does not answer");
  const shut: Line = { ...line, calls: new Set(), greeting: undefined, trouble };
  if (isFinal) return [{ ...shut, phase: "stopped" }, lost];
  const inMs = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 1.5 ** line.tries);
  return [{ ...shut, phase: "waiting", tries: line.tries + 1 }, [...lost, { out: "retry", inMs }]];
}

function called(line: Line, { id, method, params }: Extract<Step, { in: "call" }>): [Line, Effect[]] {
  if (line.phase !== "open") return [line, [{ out: "refuse", id, refusal: AWAY }]];
  if (line.calls.size >= CALLS_MAX) return [line, [{ out: "refuse", id, refusal: BUSY }]];
  return [{ ...line, calls: new Set([...line.calls, id]) }, [{ out: "send", text: request(id, method, params) }]];
}

function wanted(line: Line, wants: readonly Want[]): [Line, Effect[]] {
  const known = new Set(line.wants.map(keyOf));
  const changed = { ...line, wants };
  return line.phase === "open"
    ? subscribe(
        changed,
        wants.filter((want) => !known.has(keyOf(want))),
      )
    : [changed, []];
}

function subscribe(line: Line, wants: readonly Want[]): [Line, Effect[]] {
  const effects = wants.map(
    ({ method, params }, at): Effect => ({
      out: "send",
      text: request(`s${line.next + at}`, method, params),
    }),
  );
  return [{ ...line, next: line.next + wants.length }, effects];
}

function keyOf(want: Want): string {
  return `${want.method} ${JSON.stringify(want.params)}`;
}
