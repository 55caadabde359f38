// Which events are shown. The filter stands in the address, so that a link shows the same to everybody. Pure.
import type { Params } from "@/api/client";

export type TimelineFilter = {
  /** Families (`attempt`) or kinds (`attempt.started`); every kind when empty. */
  kinds: string[];
  actor: string;
  text: string;
  run: string;
  attempt: string;
};

/** The families of events there are, in the order people think of them. */
export const FAMILIES = [
  "run",
  "attempt",
  "sandbox",
  "delivery",
  "cleaning",
  "gateway",
  "approval",
  "config",
  "user",
  "secret",
  "log",
] as const;

/** Those that the timeline of one run can hold. */
export const RUN_FAMILIES = FAMILIES.slice(0, 5);

type Query = Record<string, string | undefined>;

export function filterOf(query: Query, run?: string): TimelineFilter {
  return {
    kinds: (query.kind ?? "").split(",").filter((kind) => kind !== ""),
    actor: query.actor ?? "",
    text: query.text ?? "",
    run: run ?? query.run ?? "",
    attempt: query.attempt ?? "",
  };
}

/** The filter as parameters of a request. */
export function paramsOf(filter: TimelineFilter): Params {
  const { kinds, ...rest } = filter;
  return { kind: kinds.join(","), ...rest };
}

/** Puts a kind or family in, or takes it out. */
export function toggled(kinds: readonly string[], kind: string): string[] {
  return kinds.includes(kind) ? kinds.filter((known) => known !== kind) : [...kinds, kind];
}

/** Whether anything at all is left out. */
export function isNarrow(filter: TimelineFilter, run?: string): boolean {
  return (
    filter.kinds.length > 0 ||
    filter.actor !== "" ||
    filter.text !== "" ||
    filter.attempt !== "" ||
    filter.run !== (run ?? "")
  );
}
