// What a tool did: its name, what it was given and what it gave.
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Tool } from "@/api/types";
import { classes } from "@/parts/classes";
import { StateBadge } from "@/parts/state";
import { given, TOOLS } from "./looks";

const BOX = "code max-h-72 overflow-auto whitespace-pre-wrap break-all rounded-md bg-sunken p-2";

export function ToolCard({ tool }: { tool: Tool }) {
  // What goes wrong or waits is open by itself.
  const [isOpen, setOpen] = useState<boolean>();
  const shown = isOpen ?? (tool.state === "failed" || tool.state === "waiting");
  const { glyph, tone, word, moving } = TOOLS[tool.state];
  const arguments_ = given(tool);
  return (
    <section aria-label={`Tool ${tool.name}`} className="rounded-md border border-line bg-surface">
      <button
        type="button"
        aria-expanded={shown}
        onClick={() => setOpen(!shown)}
        className="flex w-full min-w-0 items-center gap-2 px-3 py-1.5 text-left max-md:py-2.5"
      >
        <ChevronRight size={14} aria-hidden className={classes("shrink-0 text-faint", shown && "rotate-90")} />
        <code className="code shrink-0">{tool.name}</code>
        <span className="min-w-0 flex-1 truncate text-soft">{tool.title ?? arguments_}</span>
        {tool.exit_code !== null && tool.exit_code !== 0 && (
          <span className="shrink-0 text-bad text-sm">exit {tool.exit_code}</span>
        )}
        <StateBadge glyph={glyph} tone={tone} moving={moving}>
          {word}
        </StateBadge>
      </button>
      {shown && (
        <div className="flex flex-col gap-2 border-line border-t p-3">
          {arguments_ !== "" && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
            <pre tabIndex={0} title="what it was given" className={BOX}>
              {arguments_}
            </pre>
          )}
          {tool.output === "" ? (
            <p className="text-faint">
              {tool.state === "running" ? "Nothing came of it yet." : "What it gave was not heard."}
            </p>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
            <pre tabIndex={0} title="what it gave" className={BOX}>
              {tool.output}
            </pre>
          )}
        </div>
      )}
    </section>
  );
}
