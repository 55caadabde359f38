// A run as it is typed. Pure: what is wrong with it, and what is sent to the server. The server checks it again.
import type { Strategy } from "@/api/types";

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
  /** As people write them: `10m`, `1h 30m`, `90s`. */
  agentTime: string;
  checkTime: string;
  /** In GiB. */
  memory: string;
};

export const EMPTY: Draft = {
  prompt: "",
  repository: "",
  base: "",
  uncommitted: "refuse",
  attempts: [{ agent: "claude", command: "", model: "", sandbox: "local", count: 1 }],
  strategy: "best",
  setup: "",
  checks: [{ name: "tests", command: "" }],
  agentTime: "1h",
  checkTime: "10m",
  memory: "8",
};

/** As the server bounds them. */
export const PROMPT_BYTES_MAX = 1_048_576;
export const ATTEMPTS_MAX = 100;
const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TIME_MS_MAX = 7 * 86_400_000;

/** Reads a time as people write it; nothing when it is none. */
export function milliseconds(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/\s*(\d+(?:\.\d+)?)\s*([smhd])/gy)];
  const read = parts.map(([whole]) => whole).join("");
  if (parts.length === 0 || read.trim() !== text.trim()) return undefined;
  return Math.round(parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ""] ?? 0), 0));
}

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
  say("agentTime", timeWrong(draft.agentTime));
  say("checkTime", timeWrong(draft.checkTime));
  const memory = Number(draft.memory);
  say("memory", !(memory > 0 && memory <= 1_024) && "A number of GiB, as 8.");
  return wrong;
}

function repositoryWrong(path: string): string | undefined {
  if (path.trim() === "") return "Name the folder of a git repository on the server's machine.";
  if (!path.trim().startsWith("/")) return "Write the whole path, from /.";
  return undefined;
}

function timeWrong(text: string): string | undefined {
  const time = milliseconds(text);
  if (time === undefined || time <= 0) return "A time, as 10m or 1h 30m.";
  return time > TIME_MS_MAX ? "At most 7d." : undefined;
}

/** What is sent. */
export function requestOf(draft: Draft) {
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
    limits: {
      agent_timeout_ms: milliseconds(draft.agentTime),
      check_timeout_ms: milliseconds(draft.checkTime),
      memory_bytes_max: Math.round(Number(draft.memory) * 2 ** 30),
    },
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
  return [
    "regatta run",
    quoted(draft.prompt.trim() || "what to do"),
    draft.repository.trim() && `--repo ${quoted(draft.repository.trim())}`,
    draft.base.trim() && `--base ${quoted(draft.base.trim())}`,
    draft.uncommitted !== "refuse" && `--uncommitted ${draft.uncommitted}`,
    ...attempts,
    ...checks,
    draft.setup.trim() && `--setup ${quoted(draft.setup.trim())}`,
    `--strategy ${draft.strategy}`,
    draft.agentTime.trim() !== EMPTY.agentTime && `--timeout ${quoted(draft.agentTime.replaceAll(" ", ""))}`,
    draft.checkTime.trim() !== EMPTY.checkTime && `--check-timeout ${quoted(draft.checkTime.replaceAll(" ", ""))}`,
  ]
    .filter(Boolean)
    .join(" ");
}
