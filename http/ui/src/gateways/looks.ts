// How the state of a connection looks. Pure.
import type { Gateway, LinkNow } from "@/api/types";
import type { Tone } from "@/parts/state";

export type Look = { glyph: string; tone: Tone; word: string };

const NOW: Record<LinkNow["state"], Look> = {
  connected: { glyph: "●", tone: "good", word: "connected" },
  connecting: { glyph: "◌", tone: "busy", word: "connecting" },
  waiting: { glyph: "↻", tone: "warn", word: "tries again" },
  stopped: { glyph: "✗", tone: "bad", word: "stopped" },
};

const THEN: Record<Gateway["state"], Look> = {
  new: { glyph: "◌", tone: "calm", word: "not connected yet" },
  connected: { glyph: "●", tone: "good", word: "connected" },
  disconnected: { glyph: "↻", tone: "warn", word: "disconnected" },
  stopped: { glyph: "✗", tone: "bad", word: "stopped" },
};

/** How a gateway is now; in the past, how it was by what is recorded. */
export function lookOf({ link, state }: Pick<Gateway, "link" | "state">): Look {
  return link ? NOW[link.state] : THEN[state];
}

/** Whether a connection is on its way to another state by itself. */
export function isUnderWay(link: LinkNow | null): boolean {
  return link?.state === "connecting" || link?.state === "waiting";
}
