// Who tries, as one line. Pure.
import type { Column } from "@/api/types";

/** What the server says in place of a name that is not to be seen. */
const HIDDEN = "hidden";

/** Who tries: agent and model, or the command; in a blind comparison nobody says. */
export function whoTries(column: Column): string {
  if (column.made_of?.length) return "synthesis";
  if (column.agent === HIDDEN) return "hidden";
  if (column.agent === "command" && column.command) return shortCommand(column.command);
  return [column.agent, column.model].filter(Boolean).join(" · ");
}

/** Programs whose first argument is what is run. */
const RUNNERS = /^(?:.*\/)?(?:node|deno|bun|tsx|npx|python3?|uv|ruby|perl|php|bash|zsh|dash|sh|true)$/;
const SCRIPT = /^[\w./-]+\.[a-z]{1,4}$/i;

/** A script that is run says most by its name; other shell text is shown as it begins. */
export function shortCommand(command: string): string {
  const words = command.split(/[;|&]/, 1)[0]?.trim().split(/\s+/) ?? [];
  const [program = "", ...rest] = words.map((word) => word.replaceAll(/['"]/g, ""));
  const isRun = RUNNERS.test(program);
  const script = isRun ? rest.find((word) => !word.startsWith("-")) : program;
  return script && SCRIPT.test(script) ? (script.split("/").at(-1) ?? script) : command.trim();
}
