// Frames of protocol 4, as the server's door for browsers speaks it: read out of their text, and written. Pure. Fields
// that are not known here are left in payloads as they came.

/** Why a call was refused. Where there are details, their code or reason says more than `code`. */
export type CallRefusal = {
  code: string;
  message: string;
  details?: Record<string, unknown>;
  retryable?: boolean;
  retryAfterMs?: number;
};

export type Answered = { type: "res"; id: string; ok: true; payload: unknown };
export type Refused = { type: "res"; id: string; ok: false; error: CallRefusal };
export type Told = { type: "event"; event: string; payload: Record<string, unknown> };
export type Frame = Answered | Refused | Told;

/** What the door says when it lets somebody in. */
export type Greeting = {
  server: { bootId: string; connId: string };
  features: { methods: string[]; events: string[] };
};

/** Longest frame that is looked at, in characters; the door sends none that is longer. */
const FRAME_CHARS_MAX = 8 << 20;

/** A frame; nothing for text that is none. */
export function readFrame(text: string): Frame | undefined {
  if (text.length > FRAME_CHARS_MAX) return undefined;
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(frame)) return undefined;
  if (frame.type === "event" && typeof frame.event === "string") {
    return { type: "event", event: frame.event, payload: isObject(frame.payload) ? frame.payload : {} };
  }
  if (frame.type !== "res" || typeof frame.id !== "string") return undefined;
  if (frame.ok === true) return { type: "res", id: frame.id, ok: true, payload: frame.payload };
  return { type: "res", id: frame.id, ok: false, error: refusal(frame.error) };
}

export function request(id: string, method: string, params: object): string {
  return JSON.stringify({ type: "req", id, method, params });
}

/** How the page asks to be let in. It brings no token: the door knows the browser by its session. */
export function connect(id: string): string {
  return request(id, "connect", {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "webchat-ui", version: "1", platform: "web", mode: "webchat" },
    role: "operator",
    caps: ["tool-events"],
  });
}

/** The greeting in an answer; nothing when it is none. */
export function greetingOf(payload: unknown): Greeting | undefined {
  if (!isObject(payload) || payload.type !== "hello-ok" || payload.protocol !== 4) return undefined;
  const server = isObject(payload.server) ? payload.server : {};
  const features = isObject(payload.features) ? payload.features : {};
  return {
    server: { bootId: String(server.bootId ?? ""), connId: String(server.connId ?? "") },
    features: { methods: words(features.methods), events: words(features.events) },
  };
}

function refusal(error: unknown): CallRefusal {
  if (!isObject(error)) return { code: "UNAVAILABLE", message: "the gateway said no without a reason" };
  return {
    code: typeof error.code === "string" ? error.code : "UNAVAILABLE",
    message: typeof error.message === "string" ? error.message : "the gateway said no without a reason",
    details: isObject(error.details) ? error.details : undefined,
    retryable: error.retryable === true,
    retryAfterMs: typeof error.retryAfterMs === "number" ? error.retryAfterMs : undefined,
  };
}

function words(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((word) => typeof word === "string") : [];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
