// What gateways answer about sessions, agents, files and models, read out of their JSON. Pure. Answers are open: what is
// not known here is passed over, and what is missing is said to be missing.
import { isObject } from "@/door/frames";

type Json = Record<string, unknown>;

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const words = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];

export type SessionRow = {
  key: string;
  sessionId: string | undefined;
  agent: string | undefined;
  label: string | undefined;
  /** `direct`, `group`, `cron`, …; the set is open. */
  kind: string | undefined;
  status: string | undefined;
  /** Nothing when the gateway does not say. */
  isActive: boolean | undefined;
  model: string | undefined;
  provider: string | undefined;
  thinking: string | undefined;
  /** Levels of thinking that its model offers. */
  thinkingLevels: string[];
  /** What stands in its context, and what fits in; nothing when it is not known. */
  contextUsed: number | undefined;
  contextMax: number | undefined;
  costUsd: number | undefined;
  updatedAtMs: number | undefined;
  createdAtMs: number | undefined;
  isPinned: boolean;
  isArchived: boolean;
};

export function sessionOf(row: Json): SessionRow {
  return {
    key: String(row.key ?? ""),
    sessionId: text(row.sessionId),
    agent: text(row.agentId),
    label: text(row.label) ?? text(row.displayName) ?? text(row.derivedTitle),
    kind: text(row.classification) ?? text(row.kind),
    status: text(row.status),
    isActive: typeof row.hasActiveRun === "boolean" ? row.hasActiveRun : undefined,
    model: text(row.model),
    provider: text(row.modelProvider),
    thinking: text(row.thinkingLevel) ?? text(row.thinkingDefault),
    thinkingLevels: words(row.thinkingOptions),
    contextUsed: row.totalTokensFresh === false ? undefined : number(row.totalTokens),
    contextMax: number(row.contextTokens),
    costUsd: number(row.estimatedCostUsd),
    updatedAtMs: number(row.lastActivityAt) ?? number(row.updatedAt),
    createdAtMs: number(row.createdAt),
    isPinned: row.pinned === true,
    isArchived: row.archived === true,
  };
}

export type Sessions = { rows: SessionRow[]; total: number };

export function sessionsOf(payload: unknown): Sessions {
  const answer = isObject(payload) ? payload : {};
  const rows = list(answer.sessions).map(sessionOf);
  return { rows, total: number(answer.totalCount) ?? rows.length };
}

export type AgentRow = {
  id: string;
  name: string | undefined;
  emoji: string | undefined;
  workspace: string | undefined;
  model: string | undefined;
  thinkingLevels: string[];
  permission: string | undefined;
  isDefault: boolean;
};

export function agentsOf(payload: unknown): AgentRow[] {
  const answer = isObject(payload) ? payload : {};
  return list(answer.agents).map((row) => {
    const identity = isObject(row.identity) ? row.identity : {};
    const model = isObject(row.model) ? text(row.model.primary) : text(row.model);
    return {
      id: String(row.id ?? ""),
      name: text(row.name) ?? text(identity.name),
      emoji: text(identity.emoji),
      workspace: text(row.workspace),
      model,
      thinkingLevels: words(row.thinkingOptions),
      permission: text(row.defaultPermissionMode),
      isDefault: row.id === answer.defaultId,
    };
  });
}

export type AgentFile = {
  name: string;
  path: string | undefined;
  isMissing: boolean;
  size: number | undefined;
  updatedAtMs: number | undefined;
  /** What stands for the content as it was read; nothing for a file that is not there. */
  hash: string | undefined;
  content: string | undefined;
};

function fileRow(row: Json): AgentFile {
  return {
    name: String(row.name ?? ""),
    path: text(row.path),
    isMissing: row.missing === true,
    size: number(row.size),
    updatedAtMs: number(row.updatedAtMs),
    hash: text(row.hash),
    content: typeof row.content === "string" ? row.content : undefined,
  };
}

export function filesOf(payload: unknown): AgentFile[] {
  return list(isObject(payload) ? payload.files : undefined).map(fileRow);
}

export function fileOf(payload: unknown): AgentFile | undefined {
  const file = isObject(payload) ? payload.file : undefined;
  return isObject(file) ? fileRow(file) : undefined;
}

export type ModelRow = { id: string; name: string; thinkingLevels: string[]; isAvailable: boolean };

/** Models as they are named when one is chosen: `provider/id`. */
export function modelsOf(payload: unknown): ModelRow[] {
  return list(isObject(payload) ? payload.models : undefined).map((row) => {
    const id = [text(row.provider), text(row.id)].filter(Boolean).join("/");
    const levels = list(row.thinkingLevels).map((level) => String(level.id ?? ""));
    return { id, name: text(row.name) ?? id, thinkingLevels: levels, isAvailable: row.available !== false };
  });
}

/** Commands to the gateway itself, as they are typed. */
export function commandsOf(payload: unknown): string[] {
  const rows = list(isObject(payload) ? payload.commands : undefined);
  return rows.flatMap((row) => {
    const aliases = words(row.textAliases);
    return aliases.length > 0 ? aliases : [`/${String(row.name ?? "")}`];
  });
}

export type GatewayCost = {
  days: number | undefined;
  tokens: number;
  costUsd: number;
  /** Answers of models whose price the gateway does not know: the cost leaves them out. */
  unpriced: number;
  /** It is still counting: there will be more. */
  isCounting: boolean;
  updatedAtMs: number | undefined;
};

export function costOf(payload: unknown): GatewayCost | undefined {
  if (!isObject(payload) || !isObject(payload.totals)) return undefined;
  const { totals } = payload;
  const cache = isObject(payload.cacheStatus) ? payload.cacheStatus : {};
  return {
    days: number(payload.days),
    tokens: number(totals.totalTokens) ?? 0,
    costUsd: number(totals.totalCost) ?? 0,
    unpriced: number(totals.missingCostEntries) ?? 0,
    isCounting: cache.status === "refreshing",
    updatedAtMs: number(payload.updatedAt),
  };
}

export type TranscriptRow = {
  id: string;
  role: string;
  text: string;
  tools: { call: string; name: string; arguments: string }[];
  /** The call that this is the answer of. */
  answers: string | undefined;
  run: string | undefined;
  model: string | undefined;
  /** A mark in the transcript, as `reset`. */
  mark: string | undefined;
  atMs: number;
};

export type Transcript = { rows: TranscriptRow[]; hasMore: boolean; session: SessionRow | undefined };

export function transcriptOf(payload: unknown): Transcript {
  const answer = isObject(payload) ? payload : {};
  return {
    rows: list(answer.messages).map(transcriptRow),
    hasMore: answer.hasMore === true,
    session: isObject(answer.sessionInfo) ? sessionOf(answer.sessionInfo) : undefined,
  };
}

function transcriptRow(row: Json): TranscriptRow {
  const about = isObject(row.__openclaw) ? row.__openclaw : {};
  const parts = list(row.content);
  const said = parts.filter((part) => part.type === "text").map((part) => String(part.text ?? ""));
  const key = text(row.idempotencyKey) ?? text(about.idempotencyKey);
  return {
    id: String(about.id ?? ""),
    role: String(row.role ?? ""),
    text: typeof row.content === "string" ? row.content : said.join("\n"),
    tools: parts
      .filter((part) => part.type === "toolCall")
      .map((part) => ({
        call: String(part.id ?? ""),
        name: String(part.name ?? "tool"),
        arguments: JSON.stringify(part.arguments ?? {}),
      })),
    answers: text(row.toolCallId),
    run: text(about.runId) ?? key?.replace(/:user$/, ""),
    model: text(row.model),
    mark: text(about.kind),
    atMs: number(about.recordTimestampMs) ?? number(row.timestamp) ?? 0,
  };
}
