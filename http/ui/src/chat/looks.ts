// How turns and tools look, and what a conversation is called. Pure.
import type { ThreadRow, Tool, TurnState } from "@/api/types";
import type { Tone } from "@/parts/state";

type Look = { glyph: string; tone: Tone; word: string; moving?: boolean };

export const TURNS: Record<TurnState, Look> = {
  running: { glyph: "▸", tone: "busy", word: "at work", moving: true },
  waiting: { glyph: "⚑", tone: "accent", word: "waits for an answer" },
  final: { glyph: "✓", tone: "good", word: "done" },
  aborted: { glyph: "■", tone: "calm", word: "stopped" },
  error: { glyph: "✗", tone: "bad", word: "failed" },
  unknown: { glyph: "?", tone: "warn", word: "end not heard" },
};

export const TOOLS: Record<Tool["state"], Look> = {
  running: { glyph: "▸", tone: "busy", word: "at work", moving: true },
  waiting: { glyph: "⚑", tone: "accent", word: "waits for an answer" },
  done: { glyph: "✓", tone: "good", word: "done" },
  failed: { glyph: "✗", tone: "bad", word: "failed" },
};

/** What a turn is busy with before it says anything, as a gateway names it; others are left out. */
export const PHASES: Record<string, string> = {
  preparing_workspace: "prepares the workspace",
  preparing_context: "gathers what it knows",
  memory_flushing: "writes down what it remembers",
  starting_model: "asks the model",
};

export function titleOf(thread: Pick<ThreadRow, "label" | "session">): string {
  return thread.label ?? thread.session.replace(/^agent:[^:]+:/, "");
}

/** The agent that a session's key names. */
export function agentIn(session: string): string | undefined {
  return /^agent:([^:]+):/.exec(session)?.[1];
}

/** Text as blocks: code between fences, and what stands around it. */
export function blocks(text: string): { isCode: boolean; text: string }[] {
  const pieces = text.split(/^```[^\n]*\n?/m);
  return pieces
    .map((piece, at) => ({ isCode: at % 2 === 1, text: at % 2 === 1 ? piece.replace(/\n$/, "") : piece.trim() }))
    .filter((piece) => piece.text !== "");
}

/** A tool's arguments as lines people can read. */
export function given(tool: Pick<Tool, "arguments">): string {
  if (!tool.arguments) return "";
  try {
    const read: unknown = JSON.parse(tool.arguments);
    if (typeof read !== "object" || read === null) return tool.arguments;
    return Object.entries(read)
      .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join("\n");
  } catch {
    // What was cut is shown as it is.
    return tool.arguments;
  }
}
