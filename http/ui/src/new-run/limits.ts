// What one attempt may use, as it is typed. Pure. The server bounds it again.
import type { RunRequest } from "@/api/types";

type Kind = "time" | "GiB" | "MiB" | "count";
type Sent = NonNullable<RunRequest["limits"]>;

export type LimitField = {
  name: LimitName;
  label: string;
  kind: Kind;
  /** What it is unless somebody says otherwise. */
  usual: string;
  sends: keyof Sent;
  /** How the command line takes it: a flag, or the environment. */
  says: string;
  max?: number;
};

export const LIMIT_NAMES = [
  "agentTime",
  "setupTime",
  "checkTime",
  "memory",
  "disk",
  "output",
  "processes",
  "starts",
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

export const LIMITS: LimitField[] = [
  {
    name: "agentTime",
    label: "Time for each agent",
    kind: "time",
    usual: "1h",
    sends: "agent_timeout_ms",
    says: "--timeout",
  },
  {
    name: "setupTime",
    label: "Time for the setup",
    kind: "time",
    usual: "10m",
    sends: "setup_timeout_ms",
    says: "--setup-timeout",
  },
  {
    name: "checkTime",
    label: "Time for each check",
    kind: "time",
    usual: "10m",
    sends: "check_timeout_ms",
    says: "--check-timeout",
  },
  {
    name: "memory",
    label: "Memory, GiB",
    kind: "GiB",
    usual: "8",
    sends: "memory_bytes_max",
    says: "REGATTA_RUN_MEMORY",
  },
  { name: "disk", label: "Disk, GiB", kind: "GiB", usual: "10", sends: "disk_bytes_max", says: "REGATTA_RUN_DISK" },
  {
    name: "output",
    label: "Output of a command, MiB",
    kind: "MiB",
    usual: "256",
    sends: "output_bytes_max",
    says: "REGATTA_RUN_OUTPUT",
  },
  {
    name: "processes",
    label: "Processes at once",
    kind: "count",
    usual: "1024",
    sends: "processes_max",
    says: "REGATTA_RUN_PROCESSES",
    max: 2 ** 22,
  },
  {
    name: "starts",
    label: "Starts, after failures around it",
    kind: "count",
    usual: "3",
    sends: "starts_max",
    says: "REGATTA_RUN_STARTS",
    max: 10,
  },
];

export const USUAL = Object.fromEntries(LIMITS.map(({ name, usual }) => [name, usual])) as Record<LimitName, string>;

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TIME_MS_MAX = 7 * 86_400_000;
const GIB_MAX = 1_024;
const BYTES = { GiB: 2 ** 30, MiB: 2 ** 20 };

/** Reads a time as people write it; nothing when it is none. */
export function milliseconds(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/\s*(\d+(?:\.\d+)?)\s*([smhd])/gy)];
  const read = parts.map(([whole]) => whole).join("");
  if (parts.length === 0 || read.trim() !== text.trim()) return undefined;
  return Math.round(parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ""] ?? 0), 0));
}

/** What is wrong with a limit. */
export function limitWrong({ kind, max }: LimitField, text: string): string | undefined {
  if (kind === "time") {
    const time = milliseconds(text);
    if (time === undefined || time <= 0) return "A time, as 10m or 1h 30m.";
    return time > TIME_MS_MAX ? "At most 7d." : undefined;
  }
  const number = Number(text);
  if (kind === "count") {
    return Number.isInteger(number) && number >= 1 && number <= (max ?? number)
      ? undefined
      : `A whole number, at most ${max}.`;
  }
  const most = (GIB_MAX * BYTES.GiB) / BYTES[kind];
  return number > 0 && number <= most ? undefined : `A number of ${kind}, at most ${most}.`;
}

export function limitsSent(typed: Record<LimitName, string>): Sent {
  return Object.fromEntries(LIMITS.map((limit) => [limit.sends, sent(limit, typed[limit.name])]));
}

function sent({ kind }: LimitField, text: string): number | undefined {
  if (kind === "time") return milliseconds(text);
  return kind === "count" ? Number(text) : Math.round(Number(text) * BYTES[kind]);
}

/** Limits that are not as usual, as the command line takes them: variables before the command, flags behind it. */
export function limitsSaid(typed: Record<LimitName, string>): { before: string[]; behind: string[] } {
  const unusual = LIMITS.filter(({ name, usual }) => typed[name].trim() !== usual);
  const value = ({ name, kind }: LimitField) =>
    typed[name].replaceAll(" ", "") + (kind === "GiB" || kind === "MiB" ? kind : "");
  const isFlag = ({ says }: LimitField) => says.startsWith("--");
  return {
    before: unusual.filter((limit) => !isFlag(limit)).map((limit) => `${limit.says}=${value(limit)}`),
    behind: unusual.filter(isFlag).map((limit) => `${limit.says} ${value(limit)}`),
  };
}
