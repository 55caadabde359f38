// One conversation: its turns, what its agent asks, and the field to answer in.
import { ArrowDown, ArrowLeft } from "lucide-react";
import { useState } from "react";
import type { ThreadRow } from "@/api/types";
import { AskCard } from "@/approvals/ask-card";
import { plural } from "@/format/numbers";
import { age } from "@/format/time";
import { useNow } from "@/format/use-now";
import { modelsOf } from "@/gateways/answers";
import { useRead } from "@/gateways/use-reads";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { Composer, type Editing } from "./composer";
import type { Entry } from "./conversation";
import { agentIn } from "./looks";
import { ModelChoice, modelOf } from "./model-choice";
import { TurnView } from "./turn-view";
import { type Chat, useChat } from "./use-chat";
import { useFollow } from "./use-follow";

type Props = {
  gateway: string;
  session: string;
  thread: ThreadRow | undefined;
  title: string;
  isConnected: boolean;
  mayTalk: boolean;
  onBack: () => void;
};

export function ChatPane({ gateway, session, thread, title, isConnected, mayTalk, onBack }: Props) {
  const { asOf } = useReplay();
  const chat = useChat(gateway, session, thread?.id, isConnected);
  const [editing, setEditing] = useState<Editing>();
  const { scroller, isAtEnd, onScroll, toEnd } = useFollow(chat.entries, keyOf(chat.entries[0]));
  const isNow = asOf === undefined;
  const mayCommand = useMay("sessions");
  const { data: models } = useRead(gateway, "models.list", {}, modelsOf, mayTalk && isConnected);
  const model = models?.find(({ id }) => id === modelOf(chat.session));
  return (
    <section aria-label={`Conversation ${title}`} className="flex h-full min-h-0 min-w-0 flex-col">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b bg-surface px-4 py-2">
        <Button size="small" className="md:hidden" onClick={onBack}>
          <ArrowLeft size={13} aria-hidden /> All
        </Button>
        <h2 className="min-w-0 truncate font-semibold" title={session}>
          <bdi>{title}</bdi>
        </h2>
        <span className="truncate text-faint text-sm">
          {thread?.agent ?? agentIn(session) ?? "agent not told"} at {gateway}
        </span>
        <span className="ml-auto flex items-center gap-3">
          {isNow && mayTalk && chat.session && (
            <ModelChoice gateway={gateway} session={chat.session} models={models ?? []} />
          )}
          {isNow && <Liveness chat={chat} isConnected={isConnected} />}
        </span>
      </header>
      {isNow && <Stale chat={chat} gateway={gateway} isConnected={isConnected} />}
      <div className="relative min-h-0 flex-1">
        <div
          ref={scroller}
          role="log"
          aria-label="What was said"
          aria-busy={chat.going.length > 0}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
          tabIndex={0}
          onScroll={onScroll}
          className="h-full overflow-y-auto [overflow-anchor:none] focus-visible:-outline-offset-2"
        >
          <div className="mx-auto flex max-w-3xl flex-col gap-5 p-4">
            <Entries chat={chat} mayTalk={mayTalk} onEdit={setEditing} />
            {isNow && <Asks gateway={gateway} session={session} />}
          </div>
        </div>
        {!isAtEnd && (
          <button
            type="button"
            onClick={toEnd}
            className="absolute bottom-2 left-1/2 z-10 flex h-7 max-md:h-10 -translate-x-1/2 items-center gap-1.5 rounded-full border border-line-strong bg-surface px-3 text-sm shadow-lg"
          >
            <ArrowDown size={13} aria-hidden /> To the end
          </button>
        )}
      </div>
      {mayTalk ? (
        <Composer
          gateway={gateway}
          session={session}
          isConnected={isConnected}
          going={chat.going}
          levels={model?.thinkingLevels ?? chat.session?.thinkingLevels ?? []}
          mayCommand={mayCommand}
          editing={editing}
          onEdited={() => setEditing(undefined)}
          onSent={chat.refresh}
          isKnown={(run, text) => isShown(chat.entries, run, text)}
        />
      ) : (
        isNow && <p className="border-line border-t bg-surface px-4 py-3 text-faint">Operators may talk to it.</p>
      )}
    </section>
  );
}

/** Whether a message is shown already; a command may be answered under another run than it was sent as. */
function isShown(entries: readonly Entry[], run: string, text: string): boolean {
  const last = entries.at(-1);
  if (last?.sort === "turn" && last.turn.prompt === text) return true;
  return entries.some((entry) => entry.sort === "turn" && entry.turn.run === run);
}

type EntriesProps = { chat: Chat; mayTalk: boolean; onEdit: (editing: Editing) => void };

function Entries({ chat, mayTalk, onEdit }: EntriesProps) {
  if (chat.isPending && chat.entries.length === 0) return <SkeletonRows rows={4} />;
  if (chat.entries.length === 0) {
    if (chat.error) return <ProblemNotice error={chat.error} onRetry={chat.refresh} />;
    return <Empty title="Nothing was said yet">{mayTalk ? "Say what is to be done." : ""}</Empty>;
  }
  return (
    <>
      {chat.hasMore && <EarlierTurns chat={chat} />}
      {chat.entries.map((entry) =>
        entry.sort === "mark" ? (
          <p key={keyOf(entry)} className="flex items-center gap-3 text-faint text-sm">
            <span aria-hidden className="h-px flex-1 bg-line" />
            {MARKS[entry.mark] ?? entry.mark}
            <span aria-hidden className="h-px flex-1 bg-line" />
          </p>
        ) : (
          <TurnView
            key={keyOf(entry)}
            turn={entry.turn}
            isUnrecorded={entry.isUnrecorded}
            isForgotten={entry.isForgotten}
            phase={chat.phase}
            onEdit={
              mayTalk && entry.turn.prompt !== null
                ? () => onEdit({ text: entry.turn.prompt ?? "", entry: entry.entry, run: entry.turn.run })
                : undefined
            }
          />
        ),
      )}
    </>
  );
}

/** What tells an entry from the others, whatever is put before it. */
function keyOf(entry: Entry | undefined): string | undefined {
  return entry?.sort === "mark" ? `mark ${entry.mark} ${entry.atMs}` : entry?.turn.run;
}

function EarlierTurns({ chat: { earlier, isReadingEarlier } }: { chat: Chat }) {
  return (
    <p className="text-center text-faint">
      {earlier ? (
        <Button size="small" disabled={isReadingEarlier} onClick={earlier}>
          {isReadingEarlier ? "Reading earlier turns…" : "Show earlier turns"}
        </Button>
      ) : (
        "Older turns stand in the gateway's transcript only."
      )}
    </p>
  );
}

/** Marks in a transcript, as a gateway names them. */
const MARKS: Record<string, string> = {
  reset: "the session was reset: the agent forgot what stands above",
  compaction: "compacted: the agent sees a summary of what stands above",
};

/** What agents of this session ask; answered where the conversation is. */
function Asks({ gateway, session }: { gateway: string; session: string }) {
  const { data } = useView("/approvals", { over: false });
  const [chosen, setChosen] = useState<string>();
  const asks = data?.open.filter((ask) => ask.gateway === gateway && ask.question.session === session) ?? [];
  return asks.map((ask) => (
    <AskCard key={ask.id} ask={ask} isChosen={ask.id === chosen} onChoose={() => setChosen(ask.id)} />
  ));
}

function Liveness({ chat, isConnected }: { chat: Chat; isConnected: boolean }) {
  if (chat.isLive && isConnected) {
    return (
      <StateBadge glyph="●" tone="good" title="what is said comes as it is said">
        live
      </StateBadge>
    );
  }
  return (
    <StateBadge glyph="↻" tone="warn" title={chat.trouble}>
      not live
    </StateBadge>
  );
}

/** What is shown may be behind, and by how much. */
function Stale({ chat, gateway, isConnected }: { chat: Chat; gateway: string; isConnected: boolean }) {
  const now = useNow();
  const going = chat.going.length;
  if (isConnected && (chat.isLive || chat.trouble === undefined)) return null;
  const read = chat.readAtMs > 0 ? `, read ${age(Math.max(1_000, now - chat.readAtMs))} ago` : "";
  return (
    <p role="status" className="border-line border-b bg-warn-wash px-4 py-1.5">
      {isConnected
        ? `What is said does not come as it is said: ${chat.trouble}. It is asked for again and again${read}.`
        : `${gateway} is not connected: this is what was heard until then${read}.`}
      {!isConnected && going > 0 && ` ${plural(going, "turn")} may have gone on or ended since.`}
    </p>
  );
}
