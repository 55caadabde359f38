// Where what an attempt left stands, in words. Pure; the server says what may go, and why the rest may not.
import type { LeftRow, Place } from "@/api/types";
import { bytes } from "@/format/numbers";
import type { Tone } from "@/parts/state";

const MOVING: Partial<Record<Place, string>> = {
  archiving: "being cleaned",
  removing: "being cleaned",
  returning: "being put back",
  forgetting: "its archive is being removed",
};

export function standing(row: LeftRow): { glyph: string; tone: Tone; word: string; about?: string } {
  const moving = MOVING[row.place];
  if (moving) return { glyph: "◌", tone: "busy", word: moving };
  if (row.place === "archived" && row.archive) {
    return { glyph: "▣", tone: "calm", word: `cleaned, ${bytes(row.archive.bytes)} archive`, about: row.archive.path };
  }
  if (row.stays !== null) return { glyph: "·", tone: "calm", word: row.stays };
  return { glyph: "○", tone: "accent", word: `may go, frees ${bytes(row.alone_bytes)}` };
}
