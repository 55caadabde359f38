// One line of output with its colours. What an agent printed is text, whatever it holds: nothing of it becomes HTML.

import { createAnsiSequenceParser } from "ansi-sequence-parser";
import { memo } from "react";
import { seen } from "@/format/unseen";
import { classes } from "@/parts/classes";
import type { Line } from "./lines";

type Parsed = ReturnType<ReturnType<typeof createAnsiSequenceParser>["parse"]>[number];
type Color = NonNullable<Parsed["foreground"]>;

const ESC = String.fromCharCode(27);
const NAMED = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
/** The steps of the 6×6×6 cube in the table of 256 colours. */
const STEPS = [0, 95, 135, 175, 215, 255];

function fromTable(index: number): string {
  if (index < 16) return `var(--term-${NAMED[index % 8]})`;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const cube = index - 16;
  return `rgb(${STEPS[Math.floor(cube / 36)]} ${STEPS[Math.floor(cube / 6) % 6]} ${STEPS[cube % 6]})`;
}

function css(color: Color | null): string | undefined {
  if (!color) return undefined;
  if (color.type === "rgb") return `rgb(${color.rgb.join(" ")})`;
  if (color.type === "table") return fromTable(color.index);
  return `var(--term-${color.name.replace("bright", "").toLowerCase()})`;
}

export const OutputLine = memo(function OutputLine({ line }: { line: Line }) {
  if (!line.style && !line.text.includes(ESC)) return seen(line.text) || " ";
  const tokens = createAnsiSequenceParser().parse(line.style + line.text);
  return tokens.map((token, index) => {
    const has = (decoration: string) => (token.decorations as ReadonlySet<string>).has(decoration);
    const [fore, back] = has("reverse")
      ? [css(token.background) ?? "var(--surface)", css(token.foreground) ?? "var(--text)"]
      : [css(token.foreground), css(token.background)];
    return (
      <span
        key={index}
        style={{ color: fore, backgroundColor: back }}
        className={classes(
          has("bold") && "font-bold",
          has("dim") && "opacity-70",
          has("italic") && "italic",
          has("underline") && "underline",
          has("strikethrough") && "line-through",
          has("hidden") && "invisible",
        )}
      >
        {seen(token.value)}
      </span>
    );
  });
});
