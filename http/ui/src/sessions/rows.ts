// Which sessions are shown, and in which order. Pure.
import type { SessionRow } from "@/gateways/answers";

export type Session = SessionRow & { gateway: string };

export const COLUMNS = ["updated", "session", "gateway", "agent", "model", "context", "cost"] as const;
export type Column = (typeof COLUMNS)[number];

export type Shown = { text: string; gateway: string; state: string; by: Column; isUp: boolean };

/** The choice out of an address; what is not known there is as if it were not there. */
export function shownOf(query: Record<string, string | undefined>): Shown {
  const [by, way] = (query.sort ?? "").split("-");
  const column = COLUMNS.find((known) => known === by) ?? "updated";
  return {
    text: query.text ?? "",
    gateway: query.gateway ?? "",
    state: query.state ?? "",
    by: column,
    isUp: way === undefined ? isUpFirst(column) : way === "up",
  };
}

/** Names begin with a, numbers with the largest, times with the latest. */
export function isUpFirst(column: Column): boolean {
  return column === "session" || column === "gateway" || column === "agent" || column === "model";
}

export function nameOf(session: Pick<SessionRow, "label" | "key">): string {
  return session.label ?? session.key.replace(/^agent:[^:]+:/, "");
}

export function shown(sessions: readonly Session[], { text, gateway, state, by, isUp }: Shown): Session[] {
  const wanted = text.trim().toLowerCase();
  const fits = (session: Session) =>
    (gateway === "" || session.gateway === gateway) &&
    (state === "" || (state === "busy") === (session.isActive === true)) &&
    [nameOf(session), session.key, session.agent, session.model].some((field) =>
      (field ?? "").toLowerCase().includes(wanted),
    );
  const way = isUp ? 1 : -1;
  return sessions.filter(fits).toSorted((a, b) => {
    if (a.isPinned !== b.isPinned) return a.isPinned ? -1 : 1;
    return way * compare(cellOf(a, by), cellOf(b, by)) || nameOf(a).localeCompare(nameOf(b));
  });
}

function cellOf(session: Session, column: Column): string | number | undefined {
  switch (column) {
    case "updated":
      return session.updatedAtMs;
    case "session":
      return nameOf(session);
    case "gateway":
      return session.gateway;
    case "agent":
      return session.agent;
    case "model":
      return session.model;
    case "context":
      return session.contextUsed;
    case "cost":
      return session.costUsd;
  }
}

function compare(a: string | number | undefined, b: string | number | undefined): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b);
  // What is not known comes before everything that is.
  return Number(a !== undefined) - Number(b !== undefined);
}
