// Pieces of output become lines. Pure. A line goes on across pieces and channels, as on a terminal; what a carriage
// return overwrote is gone; colours that go on from line to line are carried along.
import type { OutputBody, Piece, Remark } from "@/api/types";
import { beginningOf } from "./words";

export type Line = {
  text: string;
  /** On which channel it began. */
  channel: "out" | "err";
  /** Colour sequences in force where it begins. */
  style: string;
  /** Not something printed, but what began here: `agent`, `check 0`, `start 2`. */
  mark?: string;
  /** A remark read from what was printed, and of which sort. */
  remark?: Remark["sort"];
};

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
/** Every escape sequence but those for colours (`…m`); they move a cursor there is none of. */
const NOT_COLOUR = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-ln-~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?|[PX^_][^${ESC}]*(?:${ESC}\\\\)?|[ -/]*[0-OQ-WYZ\\\\-~])`,
  "g",
);
const COLOUR = new RegExp(`${ESC}\\[([\\d;:]*)m`, "g");
/** Longest line shown; a longer one is cut and says so. */
export const LINE_CHARS_MAX = 4_000;
/** Bounds colours carried from line to line. */
const STYLE_CHARS_MAX = 96;

/** Leaves what can be shown: text, tabs and colours. */
export function cleaned(text: string): string {
  const plain = text.includes(ESC) ? text.replace(NOT_COLOUR, "") : text;
  const lastReturn = plain.lastIndexOf("\r", plain.endsWith("\r") ? plain.length - 2 : plain.length);
  const shown = lastReturn < 0 ? plain : plain.slice(lastReturn + 1);
  return shown.replaceAll("\r", "");
}

/** What of a text takes room. */
export function withoutColours(text: string): string {
  return text.includes(ESC) ? text.replace(COLOUR, "") : text;
}

/** The colours in force after a text. */
export function styleAfter(style: string, text: string): string {
  if (!text.includes(ESC)) return style;
  let after = style;
  for (const [sequence, codes = ""] of text.matchAll(COLOUR)) {
    const isReset = codes === "" || codes === "0" || codes.startsWith("0;");
    after = codes === "" || codes === "0" ? "" : (isReset ? "" : after) + sequence;
  }
  if (after.length <= STYLE_CHARS_MAX) return after;
  const kept = after.slice(after.length - STYLE_CHARS_MAX);
  return kept.slice(kept.indexOf(ESC));
}

export function phaseName(piece: Pick<OutputBody, "phase">): string {
  return typeof piece.phase === "string" ? piece.phase : `check ${piece.phase.check}`;
}

/** Turns pieces into lines, in order; it can go on where it stopped. */
export class LineReader {
  lines: Line[] = [];
  private readonly decoders = { out: new TextDecoder(), err: new TextDecoder() };
  /** Whether the last bytes of a channel may be half a character. */
  private readonly isCut = { out: false, err: false };
  private style = "";
  /** Whether the last line may still grow. */
  private isOpen = false;
  private where = "";
  private raw = "";

  read(piece: Piece): void {
    const where = `${piece.epoch} ${phaseName(piece)}`;
    // With what another command prints first comes the last that the agent before it said.
    const isNext = where !== this.where;
    const isLate = isNext && this.where !== "" && piece.phase !== "agent";
    if (isLate) this.remark(piece.words);
    if (isNext) this.mark(piece, where);
    if (!isLate) this.remark(piece.words);
    const text = this.decoded(piece);
    const parts = text.split("\n");
    parts.forEach((part, index) => {
      const isLast = index === parts.length - 1;
      if (isLast && part === "") return;
      this.grow(part, piece.channel);
      if (!isLast) this.close();
    });
  }

  /**
   * Puts what was printed before what it read in front, as if it had read all of it. What is read anew of the latter
   * ends where nothing of the former can reach: behind a whole line without colours that go on.
   */
  putBefore(earlier: readonly Piece[], known: readonly Piece[]): void {
    const both = new LineReader();
    for (const piece of earlier) both.read(piece);
    const again = new LineReader();
    for (const piece of known) {
      both.read(piece);
      again.read(piece);
      if (both.isBetween() && again.isBetween()) {
        this.lines = both.lines.concat(this.lines.slice(again.lines.length));
        return;
      }
    }
    Object.assign(this, both);
  }

  /** Whether what comes next begins afresh, whatever came before. */
  private isBetween(): boolean {
    return !this.isOpen && this.style === "" && !this.isCut.out && !this.isCut.err;
  }

  private mark(piece: Piece, where: string): void {
    const [epochBefore] = this.where.split(" ");
    if (this.isOpen) this.close();
    this.where = where;
    const isAgain = epochBefore !== "" && epochBefore !== String(piece.epoch);
    const mark =
      isAgain || (epochBefore === "" && piece.epoch > 1)
        ? `start ${piece.epoch}, ${phaseName(piece)}`
        : phaseName(piece);
    this.style = "";
    this.lines.push({ text: "", channel: "out", style: "", mark });
  }

  private remark(remarks: readonly Remark[] = []): void {
    if (remarks.length > 0 && this.isOpen) this.close();
    for (const { sort, text } of remarks) {
      const lines = `${beginningOf(sort)}${text}`.trimEnd().split("\n");
      for (const line of lines) {
        this.lines.push({ text: cleaned(line.slice(0, LINE_CHARS_MAX)), channel: "out", style: "", remark: sort });
      }
    }
  }

  private decoded(piece: Piece): string {
    const decoder = this.decoders[piece.channel];
    this.isCut[piece.channel] = Boolean(piece.base64);
    if (piece.base64) {
      const bytes = Uint8Array.from(atob(piece.base64), (char) => char.charCodeAt(0));
      return decoder.decode(bytes, { stream: true });
    }
    // Text is whole characters; what the bytes before it left over was broken.
    return decoder.decode() + (piece.text ?? "");
  }

  private grow(part: string, channel: Line["channel"]): void {
    this.raw = this.isOpen ? this.raw + part : part;
    const cut = this.raw.length > LINE_CHARS_MAX;
    const text = cleaned(cut ? this.raw.slice(0, LINE_CHARS_MAX) : this.raw);
    const shown = cut ? `${text} … ${this.raw.length - LINE_CHARS_MAX} more characters` : text;
    if (this.isOpen) {
      const last = this.lines.at(-1);
      if (last) this.lines[this.lines.length - 1] = { ...last, text: shown };
    } else {
      this.lines.push({ text: shown, channel, style: this.style });
      this.isOpen = true;
    }
  }

  private close(): void {
    if (!this.isOpen) this.grow("", "out");
    this.style = styleAfter(this.style, this.raw.slice(0, LINE_CHARS_MAX));
    this.isOpen = false;
    this.raw = "";
  }
}
