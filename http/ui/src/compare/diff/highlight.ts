// Colours for code. A lazy chunk: a diff is readable before it is here. Code becomes spans with names, never HTML.
import { common, createLowlight } from "lowlight";
import type { Hunk } from "./patch";

type HastNode = { type: string; value?: string; properties?: { className?: string[] }; children?: HastNode[] };

export type Span = { text: string; name: string };

const lowlight = createLowlight(common);
/** Larger hunks stay plain: colouring them would hold up the page. */
const CHARS_MAX = 60_000;

const LANGUAGES: Record<string, string> = {
  js: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  jsx: "javascript",
  ts: "typescript",
  tsx: "typescript",
  mts: "typescript",
  rs: "rust",
  py: "python",
  rb: "ruby",
  go: "go",
  java: "java",
  kt: "kotlin",
  swift: "swift",
  c: "c",
  h: "c",
  cc: "cpp",
  cpp: "cpp",
  hpp: "cpp",
  cs: "csharp",
  php: "php",
  sh: "bash",
  bash: "bash",
  sql: "sql",
  html: "xml",
  xml: "xml",
  svg: "xml",
  vue: "xml",
  css: "css",
  scss: "scss",
  less: "less",
  json: "json",
  yml: "yaml",
  yaml: "yaml",
  toml: "ini",
  ini: "ini",
  md: "markdown",
  lua: "lua",
  pl: "perl",
  r: "r",
  graphql: "graphql",
  makefile: "makefile",
  diff: "diff",
  patch: "diff",
};

export function languageOf(path: string): string | undefined {
  const name = (path.split("/").at(-1) ?? "").toLowerCase();
  if (name === "makefile") return "makefile";
  return LANGUAGES[name.split(".").at(-1) ?? ""];
}

function flat(node: HastNode, name: string, spans: Span[]): void {
  if (node.type === "text" && node.value) spans.push({ text: node.value, name });
  const own = node.properties?.className?.find((known) => known.startsWith("hljs-"))?.slice(5) ?? name;
  for (const child of node.children ?? []) flat(child, own, spans);
}

/** Splits spans at line breaks. */
export function byLine(spans: readonly Span[]): Span[][] {
  const lines: Span[][] = [[]];
  for (const span of spans) {
    span.text.split("\n").forEach((text, index) => {
      if (index > 0) lines.push([]);
      if (text) lines.at(-1)?.push({ text, name: span.name });
    });
  }
  return lines;
}

function coloured(lines: readonly string[], language: string): Span[][] {
  const spans: Span[] = [];
  for (const node of lowlight.highlight(language, lines.join("\n")).children as HastNode[]) flat(node, "", spans);
  return byLine(spans);
}

/** The spans of every line of a hunk; both sides are read as they stood, so that neither disturbs the other. */
export function spansOf(hunk: Hunk, path: string): Span[][] | undefined {
  const language = languageOf(path);
  const chars = hunk.lines.reduce((sum, line) => sum + line.text.length, 0);
  if (!language || chars > CHARS_MAX) return undefined;
  const old = coloured(
    hunk.lines.filter((line) => line.kind !== "added").map((line) => line.text),
    language,
  );
  const fresh = coloured(
    hunk.lines.filter((line) => line.kind !== "removed").map((line) => line.text),
    language,
  );
  let oldAt = 0;
  let freshAt = 0;
  return hunk.lines.map((line) => {
    const spans = (line.kind === "removed" ? old[oldAt] : fresh[freshAt]) ?? [];
    if (line.kind !== "added") oldAt += 1;
    if (line.kind !== "removed") freshAt += 1;
    return spans;
  });
}
