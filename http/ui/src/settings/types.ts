// What the server says of its configuration, of people and of itself.
import type { Role, Seq } from "@/api/types";

export type ConfigValue = string | number | boolean | string[] | null;

export type ConfigRow = {
  key: string;
  value: ConfigValue;
  default: ConfigValue;
  /** Where the value comes from: `default`, a file, the environment, a flag, a person. */
  source: string;
  about: string;
  changeable: boolean;
  /** Written into the file, and in force after the next start. */
  after_restart?: ConfigValue;
};

export type ConfigChange = { key: string; from: ConfigValue; to: ConfigValue; by: string; at_us: number; seq: Seq };

export type Token = {
  id: string;
  name: string;
  user: string;
  role: Role;
  created_at_us: number;
  expires_at_us?: number | null;
  last_used_at_us?: number | null;
  revoked_at_us?: number | null;
};

export type User = { name: string; role: Role };

export type Finding = { name: string; state: "ok" | "note" | "warn" | "fail"; found: string; fix?: string | null };

export type Rows<T> = { rows: T[]; next?: unknown };

/** Lists come as they are, or as a page. */
export function rowsOf<T>(answer: Rows<T> | T[] | undefined): T[] {
  if (answer === undefined) return [];
  return Array.isArray(answer) ? answer : answer.rows;
}

/** A value as a person writes it. */
export function shown(value: ConfigValue): string {
  if (value === null) return "unset";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  if (value === true) return "on";
  if (value === false) return "off";
  return String(value);
}
