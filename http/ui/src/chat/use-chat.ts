// One conversation, kept up to date: what was recorded, the gateway's transcript, and what is being said this moment.
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Thread } from "@/api/types";
import { useHeard, useLine } from "@/door/use-link";
import { type SessionRow, transcriptOf } from "@/gateways/answers";
import { readOf } from "@/gateways/use-reads";
import { useView } from "@/live/use-view";
import { useReplay } from "@/replay/replay";
import { conversation, type Entry } from "./conversation";
import { type Hearing, heard, NOTHING, sessionOf } from "./hearing";
import { turnsOf } from "./history";

/** What was recorded is read again at most this often while somebody speaks. */
const READ_MS = 250;
/** Without a live connection it is asked for this often. */
const ASK_MS = 2_000;
/** Rows of the transcript that are read at first, and so many more each time somebody asks for earlier ones. */
const ROWS = 200;
/** A gateway gives no more at once. */
const ROWS_MAX = 1_000;
const WANTS = [{ method: "sessions.subscribe", params: {} }];

export type Chat = {
  entries: Entry[];
  isPending: boolean;
  error: Error | null;
  /** Nothing while the gateway does not tell, and in the past. */
  session: SessionRow | undefined;
  /** Whether the transcript has earlier turns, and how they are read; nothing when they cannot be. */
  hasMore: boolean;
  earlier: (() => void) | undefined;
  isReadingEarlier: boolean;
  phase: string | undefined;
  /** The turns that go on. */
  going: string[];
  /** Whether events come as they happen; why not, otherwise. */
  isLive: boolean;
  trouble: string | undefined;
  /** When what is shown was read. */
  readAtMs: number;
  refresh: () => void;
};

export function useChat(gateway: string, session: string, thread: string | undefined, isConnected: boolean): Chat {
  const { asOf } = useReplay();
  const isNow = asOf === undefined;
  const client = useQueryClient();
  const door = isNow ? gateway : undefined;
  const line = useLine(door);
  const isLive = line.phase === "open";
  const recorded = useView(
    `/threads/${thread ?? ""}`,
    {},
    {
      enabled: thread !== undefined,
      everyMs: isNow && !isLive ? ASK_MS : 0,
    },
  );
  const mayRead = isNow && isConnected;
  const [rows, setRows] = useState(ROWS);
  // What was read stays until more is there; a conversation has a pane of its own, so it is never another one's.
  const told = useQuery({
    ...readOf(gateway, "chat.history", { sessionKey: session, limit: rows }, transcriptOf),
    enabled: mayRead,
    placeholderData: keepPreviousData,
  });
  const earlier = useCallback(() => setRows((before) => Math.min(before + ROWS, ROWS_MAX)), []);
  const [hearing, setHearing] = useState<Hearing>(NOTHING);
  const later = useRef<ReturnType<typeof setTimeout>>(undefined);
  const refresh = useCallback(() => {
    later.current ??= setTimeout(() => {
      later.current = undefined;
      void client.invalidateQueries({ queryKey: ["view", `/threads/${thread ?? ""}`] });
      // A conversation that has just begun is in no list yet.
      void client.invalidateQueries({ queryKey: ["view", "/threads"] });
    }, READ_MS);
  }, [client, thread]);
  const reread = useCallback(() => {
    const path = `/gateways/${encodeURIComponent(gateway)}/read`;
    void client.invalidateQueries({ queryKey: ["view", path, { method: "chat.history" }] });
    refresh();
  }, [client, gateway, refresh]);
  useEffect(() => () => clearTimeout(later.current), []);
  useHeard(
    door,
    WANTS,
    (event) => {
      if (sessionOf(event) !== session) return;
      setHearing((before) => heard(before, event));
      const { state } = event.payload;
      const isOver = event.event === "chat" && (state === "final" || state === "aborted" || state === "error");
      if (isOver || event.event === "session.message") reread();
      else refresh();
    },
    () => {
      setHearing(NOTHING);
      reread();
    },
  );
  const turns = (recorded.data as Thread | undefined)?.turns;
  const transcript = useMemo(
    () => told.data && { told: turnsOf(told.data.rows), hasMore: told.data.hasMore, readAtMs: told.dataUpdatedAt },
    [told.data, told.dataUpdatedAt],
  );
  const entries = useMemo(
    () => conversation(turns ?? [], isNow ? transcript : undefined, isNow ? hearing : NOTHING),
    [turns, transcript, hearing, isNow],
  );
  const going = entries.flatMap((entry) =>
    entry.sort === "turn" && (entry.turn.state === "running" || entry.turn.state === "waiting") ? [entry.turn.run] : [],
  );
  return {
    entries,
    isPending: (thread !== undefined && recorded.isPending) || (isNow && isConnected && told.isPending),
    error: recorded.error ?? (entries.length === 0 ? told.error : null),
    session: told.data?.session,
    hasMore: told.data?.hasMore ?? false,
    earlier: mayRead && rows < ROWS_MAX ? earlier : undefined,
    isReadingEarlier: told.isPlaceholderData,
    phase: hearing.phase,
    going,
    isLive,
    trouble: line.trouble,
    readAtMs: Math.max(recorded.dataUpdatedAt, told.dataUpdatedAt),
    refresh: reread,
  };
}
