// A run as it is typed. Pure: what is wrong with it, and what is sent to the server. The server checks it again.
import type { RunRequest, Strategy } from "@/api/types";
import { LIMITS, type LimitName, limitsSaid, limitsSent, limitWrong, USUAL } from "./limits";

export type DraftAttempt = { agent: string; command: string; model: string; sandbox: string; count: number };
export type DraftCheck = { name: string; command: string };
export type Draft = {
  prompt: string;
  repository: string;
  base: string;
  uncommitted: "refuse" | "ignore" | "include";
  attempts: DraftAttempt[];
  strategy: Strategy;
  setup: string;
  checks: DraftCheck[];
} & Record<LimitName, string>;

export const EMPTY: Draft = {
  prompt: "",
  repository: "",
  base: "",
  uncommitted: "refuse",
  attempts: [{ agent: "claude", command: "", model: "", sandbox: "local", count: 1 }],
  strategy: "best",
  setup: "",
  checks: [{ name: "tests", command: "" }],
  ...USUAL,
};

/** A run as it was kept by a browser, maybe by an older page: what is not as it should be is left out. */
export function draftFrom(kept: unknown): Draft {
  const { attempts, checks, ...fields } = (typeof kept === "object" && kept !== null ? kept : {}) as Partial<Draft>;
  const known = Object.entries(fields).filter(
    ([name, value]) => Object.hasOwn(EMPTY, name) && typeof value === typeof EMPTY[name as keyof Draft],
  );
  return {
    ...EMPTY,
    ...Object.fromEntries(known),
    attempts: listFrom(attempts, { agent: "", command: "", model: "", sandbox: "local", count: 1 }, EMPTY.attempts),
    checks: listFrom(checks, { name: "", command: "" }, EMPTY.checks),
  };
}

function listFrom<Row extends object>(kept: unknown, usual: Row, otherwise: Row[]): Row[] {
  if (!Array.isArray(kept)) return otherwise;
  const rows = kept.filter((row) => typeof row === "object" && row !== null).slice(0, ATTEMPTS_MAX);
  return rows.map((row: Partial<Row>) => {
    const known = Object.entries(usual).map(([name, value]) => {
      const is = row[name as keyof Row];
      return [name, typeof is === typeof value ? is : value];
    });
    return Object.fromEntries(known) as Row;
  });
}

/** As the server bounds them. */
export const PROMPT_BYTES_MAX = 1_048_576;
export const ATTEMPTS_MAX = 100;

export type Wrong = Partial<Record<string, string>>;

/** What is wrong, by field; nothing when it can be sent. */
export function wrongWith(draft: Draft): Wrong {
  const wrong: Wrong = {};
  const say = (field: string, text: string | false | undefined) => {
    if (text) wrong[field] = text;
  };
  say("prompt", draft.prompt.trim() === "" && "Say what the agents are to do.");
  const size = new TextEncoder().encode(draft.prompt).length;
  say(
    "prompt",
    size > PROMPT_BYTES_MAX && "At most 1 MiB; put the long part into a file of the repository and name it.",
  );
  say("repository", repositoryWrong(draft.repository));
  const total = draft.attempts.reduce((sum, attempt) => sum + attempt.count, 0);
  say(
    "attempts",
    (total === 0 && "Add at least one attempt.") ||
      (total > ATTEMPTS_MAX && `At most ${ATTEMPTS_MAX} attempts; these are ${total}.`),
  );
  draft.attempts.forEach((attempt, index) => {
    say(
      `attempt${index}`,
      attempt.agent === "command" && attempt.command.trim() === "" && "Say which command is to be run.",
    );
  });
  const checks = draft.checks.filter((check) => check.command.trim() !== "");
  const twice = checks.find((check, index) => checks.findIndex((other) => other.name === check.name) !== index);
  say("checks", twice && `Two checks are named ${twice.name || "nothing"}; give each its own name.`);
  say("checks", checks.some((check) => check.name.trim() === "") && "Give every check a name.");
  for (const limit of LIMITS) say(limit.name, limitWrong(limit, draft[limit.name]));
  return wrong;
}

function repositoryWrong(path: string): string | undefined {
  if (path.trim() === "") return "Name the folder of a git repository on the server's machine.";
  if (!path.trim().startsWith("/")) return "Write the whole path, from /.";
  return undefined;
}

/** What is sent. */
export function requestOf(draft: Draft): RunRequest {
  const optional = (text: string) => (text.trim() === "" ? undefined : text.trim());
  return {
    prompt: draft.prompt,
    repository: draft.repository.trim(),
    base: optional(draft.base),
    uncommitted: draft.uncommitted,
    strategy: draft.strategy,
    setup: optional(draft.setup),
    attempts: draft.attempts.flatMap((attempt) => {
      const entry = {
        agent: attempt.agent,
        command: attempt.agent === "command" ? attempt.command.trim() : undefined,
        model: attempt.agent === "command" ? undefined : optional(attempt.model),
        sandbox: attempt.sandbox,
      };
      return Array.from({ length: attempt.count }, () => entry);
    }),
    checks: draft.checks
      .filter((check) => check.command.trim() !== "")
      .map((check) => ({ name: check.name.trim(), command: check.command.trim() })),
    limits: limitsSent(draft),
  };
}

/** The same run as a command, for whoever wants to script it. */
export function commandOf(draft: Draft): string {
  const quoted = (text: string) => (/^[\w./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const attempts = draft.attempts.map((attempt) => {
    const times = attempt.count > 1 ? `*${attempt.count}` : "";
    const where = attempt.sandbox === "local" ? "" : `@${attempt.sandbox}`;
    if (attempt.agent === "command") return `-a ${quoted(`command${where}${times}=${attempt.command.trim()}`)}`;
    return `-a ${quoted(`${attempt.agent}${attempt.model.trim() ? `:${attempt.model.trim()}` : ""}${where}${times}`)}`;
  });
  const checks = draft.checks
    .filter((check) => check.command.trim() !== "")
    .map((check) => `--check ${quoted(`${check.name.trim()}=${check.command.trim()}`)}`);
  const limits = limitsSaid(draft);
  return [
    ...limits.before,
    "regatta run",
    quoted(draft.prompt.trim() || "what to do"),
    draft.repository.trim() && `--repo ${quoted(draft.repository.trim())}`,
    draft.base.trim() && `--base ${quoted(draft.base.trim())}`,
    draft.uncommitted !== "refuse" && `--uncommitted ${draft.uncommitted}`,
    ...attempts,
    ...checks,
    draft.setup.trim() && `--setup ${quoted(draft.setup.trim())}`,
    `--strategy ${draft.strategy}`,
    ...limits.behind,
  ]
    .filter(Boolean)
    .join(" ");
}
