// Conversations of every gateway, the latest first.
import { useState } from "react";
import type { ThreadRow } from "@/api/types";
import { age, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { classes } from "@/parts/classes";
import { bareField } from "@/parts/field";
import { StateBadge } from "@/parts/state";
import { agentIn, TURNS, titleOf } from "./looks";

type Props = {
  rows: readonly ThreadRow[];
  chosen: { gateway: string | undefined; session: string | undefined };
  onChoose: (row: ThreadRow) => void;
};

/** What fits what was typed. Pure. */
export function fitting(rows: readonly ThreadRow[], text: string): ThreadRow[] {
  const wanted = text.trim().toLowerCase();
  return rows.filter((row) =>
    [titleOf(row), row.session, row.gateway, row.agent ?? "", row.last_text].some((field) =>
      field.toLowerCase().includes(wanted),
    ),
  );
}

export function ThreadList({ rows, chosen, onChoose }: Props) {
  const [text, setText] = useState("");
  const shown = fitting(rows, text);
  const isHere = (row: ThreadRow) => row.gateway === chosen.gateway && row.session === chosen.session;
  const step = (by: number) => {
    const at = shown.findIndex(isHere);
    const next = shown[at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1)];
    if (next) onChoose(next);
  };
  useShortcuts("Conversations", [
    { keys: "j", about: "Next conversation", run: () => step(1) },
    { keys: "k", about: "Conversation before", run: () => step(-1) },
  ]);
  return (
    <>
      <div className="border-line border-b p-2">
        <input
          type="search"
          aria-label="Search the conversations"
          placeholder="Name, agent or what was said last"
          value={text}
          onChange={(event) => setText(event.target.value)}
          className={bareField()}
        />
      </div>
      {shown.length === 0 && (
        <p className="px-4 py-3 text-soft">
          {rows.length === 0 ? "Nothing was recorded yet." : `Nothing matches “${text}”.`}
        </p>
      )}
      <ul aria-label="Conversations" className="min-h-0 flex-1 divide-y divide-line overflow-y-auto">
        {shown.map((row) => (
          <li key={row.id}>
            <Row row={row} isHere={isHere(row)} onChoose={() => onChoose(row)} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Row({ row, isHere, onChoose }: { row: ThreadRow; isHere: boolean; onChoose: () => void }) {
  const now = useNow();
  const look = row.state && TURNS[row.state];
  return (
    <button
      type="button"
      aria-current={isHere || undefined}
      onClick={onChoose}
      title={row.session}
      className={classes("flex w-full flex-col px-4 py-2 text-left hover:bg-raised", isHere && "bg-raised")}
    >
      <span className="flex w-full items-baseline gap-2">
        {look && look.word !== "done" && (
          <StateBadge glyph={look.glyph} tone={look.tone} moving={look.moving} title={look.word}>
            <span className="sr-only">{look.word}</span>
          </StateBadge>
        )}
        <bdi className="min-w-0 flex-1 truncate font-medium">{titleOf(row)}</bdi>
        <span className="shrink-0 text-faint text-sm" title={moment(row.last_at_us)}>
          {age(now - row.last_at_us / 1_000)}
        </span>
      </span>
      <span className="w-full truncate text-soft text-sm">{row.last_text || "nothing was said"}</span>
      <span className="w-full truncate text-faint text-sm">
        {row.gateway} · {row.agent ?? agentIn(row.session) ?? "agent not told"}
      </span>
    </button>
  );
}
