// How high a line of output is, without asking the browser. Pure: widths are arguments.
import { type Line, withoutColours } from "./lines";

export const LINE_PX = 19;
/** Width of one character of the monospaced type, and what stands beside the text. */
const CHAR_PX = 7.53;
const BESIDE_PX = 24;
/** No monospaced type in use is wider at this size: what fits with it does not wrap. */
const CHAR_PX_MAX = 8.25;
/** Other characters may be wider, higher, or taken from another type. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Its height as far as its length tells. */
export function heightOf(line: Line | undefined, widthPx: number): number {
  if (!line || line.mark) return LINE_PX;
  const perLine = Math.max(10, Math.floor((widthPx - BESIDE_PX) / CHAR_PX));
  return Math.max(1, Math.ceil(withoutColours(line.text).length / perLine)) * LINE_PX;
}

/** Whether that is certain; other lines are measured where they are shown. Measuring makes the browser lay out. */
export function isCertain(line: Line, widthPx: number): boolean {
  if (line.mark) return true;
  const text = withoutColours(line.text);
  return text.length * CHAR_PX_MAX + BESIDE_PX <= widthPx && PLAIN.test(text);
}
