// What is being said this moment, as the gateway streams it: text that the recorded turns do not hold yet. Pure. The
// recorded turns stay what the page believes; this only fills the time until they are read again.
import type { Turn } from "@/api/types";
import type { Told } from "@/door/frames";

export type Hearing = {
  /** Text of turns that go on, by their run; all of it so far. */
  texts: ReadonlyMap<string, string>;
  /** What the last turn is busy with before it says anything. */
  phase: string | undefined;
};

export const NOTHING: Hearing = { texts: new Map(), phase: undefined };

/** Events after which recorded turns are out of date. */
const EVENTS = ["chat", "agent", "session.tool", "session.message", "sessions.changed"];

/** The session an event is about, when it changes what was said or done there. */
export function sessionOf({ event, payload }: Told): string | undefined {
  return EVENTS.includes(event) && typeof payload.sessionKey === "string" ? payload.sessionKey : undefined;
}

/** Takes an event of the session that is shown. */
export function heard(hearing: Hearing, { event, payload }: Told): Hearing {
  const { runId, state } = payload;
  if (event !== "chat" || typeof runId !== "string") return hearing;
  if (state === "status") return { ...hearing, phase: typeof payload.phase === "string" ? payload.phase : undefined };
  const texts = new Map(hearing.texts);
  if (state !== "delta") {
    texts.delete(runId);
    return { texts, phase: undefined };
  }
  const soFar = texts.get(runId) ?? "";
  const delta = typeof payload.deltaText === "string" ? payload.deltaText : "";
  texts.set(runId, whole(payload.message) ?? (payload.replace === true ? delta : soFar + delta));
  return { texts, phase: undefined };
}

/** All that was said so far, where the gateway says that. */
function whole(message: unknown): string | undefined {
  const content = (message as { content?: unknown } | undefined)?.content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.filter((part) => part?.type === "text").map((part) => String(part.text ?? ""));
  return texts.length > 0 ? texts.join("") : undefined;
}

/** A turn with what was heard of it since it was read. */
export function withHeard(turn: Turn, hearing: Hearing): Turn {
  const text = hearing.texts.get(turn.run);
  const isGoingOn = turn.state === "running" || turn.state === "waiting";
  return text !== undefined && isGoingOn ? { ...turn, text } : turn;
}

/** Text of a turn that stands in none of its parts: what is still being said. */
export function tailOf(turn: Turn): string {
  const said = turn.parts.map((part) => (part.type === "text" ? part.text : ""));
  const all = said.join("");
  if (turn.text === "" || all.endsWith(turn.text)) return "";
  if (turn.text.startsWith(all)) return turn.text.slice(all.length);
  // A gateway may say each answer of a model by itself.
  return said.includes(turn.text) ? "" : turn.text;
}
