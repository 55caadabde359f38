// Sessions as a table: what somebody scans. Columns sort; a row opens.
import { count, dollars, short } from "@/format/numbers";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { classes } from "@/parts/classes";
import { StateBadge } from "@/parts/state";
import type { Query } from "@/timeline/use-query";
import { type Column, isUpFirst, nameOf, type Session, type Shown } from "./rows";

const HEADS: { column: Column; word: string; className?: string }[] = [
  { column: "session", word: "Session" },
  { column: "gateway", word: "Gateway", className: "max-md:hidden" },
  { column: "agent", word: "Agent", className: "max-md:hidden" },
  { column: "model", word: "Model", className: "max-lg:hidden" },
  { column: "context", word: "Context", className: "max-lg:hidden text-right" },
  { column: "cost", word: "Cost", className: "max-sm:hidden text-right" },
  { column: "updated", word: "Last active", className: "text-right" },
];
const CELL = "px-3 py-2 align-top";

type Props = { rows: readonly Session[]; choice: Shown; onChange: (query: Query) => void };

export function SessionTable({ rows, choice, onChange }: Props) {
  return (
    <table className="w-full table-fixed bg-surface">
      <thead className="sticky top-0 z-10 bg-surface">
        <tr className="border-line border-b text-left">
          {HEADS.map(({ column, word, className }) => {
            const isHere = choice.by === column;
            const isUp = isHere ? !choice.isUp : isUpFirst(column);
            return (
              <th
                key={column}
                scope="col"
                aria-sort={isHere ? (choice.isUp ? "ascending" : "descending") : "none"}
                className={classes(
                  "px-3 py-1.5 font-medium text-soft",
                  column === "session" && "w-2/3 md:w-2/5",
                  className,
                )}
              >
                <button
                  type="button"
                  onClick={() => onChange({ sort: `${column}-${isUp ? "up" : "down"}` })}
                  className="rounded-sm hover:text-text max-md:min-h-10"
                >
                  {word}
                  <span aria-hidden> {isHere ? (choice.isUp ? "↑" : "↓") : ""}</span>
                </button>
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {rows.map((session) => (
          <Row
            key={`${session.gateway} ${session.key}`}
            session={session}
            onOpen={() => onChange({ at: session.gateway, session: session.key })}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row({ session, onOpen }: { session: Session; onOpen: () => void }) {
  const now = useNow();
  return (
    <tr className="hover:bg-raised">
      <td className={CELL}>
        <button
          type="button"
          onClick={onOpen}
          title={session.key}
          className="block max-w-full truncate text-left font-medium max-md:py-2 underline-offset-2 hover:underline"
        >
          {session.isPinned && <span title="pinned">★ </span>}
          <bdi>{nameOf(session)}</bdi>
        </button>
        <span className="flex flex-wrap gap-x-3 text-sm">
          <SessionState session={session} />
          <span className="truncate text-faint md:hidden">
            {session.gateway} · {session.agent}
          </span>
        </span>
      </td>
      <td className={classes(CELL, "truncate max-md:hidden")}>{session.gateway}</td>
      <td className={classes(CELL, "truncate max-md:hidden")}>{session.agent ?? <Unknown />}</td>
      <td className={classes(CELL, "truncate max-lg:hidden")}>{session.model ?? <Unknown />}</td>
      <td className={classes(CELL, "text-right max-lg:hidden")}>
        <Context session={session} />
      </td>
      <td className={classes(CELL, "text-right max-sm:hidden")}>
        <Cost session={session} />
      </td>
      <td className={classes(CELL, "text-right")}>
        {session.updatedAtMs === undefined ? (
          <Unknown />
        ) : (
          <span title={moment(session.updatedAtMs * 1_000)}>{ago(now - session.updatedAtMs)}</span>
        )}
      </td>
    </tr>
  );
}

export function SessionState({ session }: { session: Session }) {
  if (session.isActive === undefined)
    return (
      <StateBadge glyph="?" tone="calm">
        not told
      </StateBadge>
    );
  if (session.isActive) {
    return (
      <StateBadge glyph="▸" tone="busy" moving>
        at work
      </StateBadge>
    );
  }
  if (session.status === "error" || session.status === "failed") {
    return (
      <StateBadge glyph="✗" tone="bad">
        failed
      </StateBadge>
    );
  }
  return (
    <StateBadge glyph="·" tone="calm">
      idle
    </StateBadge>
  );
}

/** How much of its context is used, as the gateway estimates. */
export function Context({ session: { contextUsed, contextMax } }: { session: Session }) {
  if (contextUsed === undefined) return <Unknown />;
  const part = contextMax ? ` (${Math.round((100 * contextUsed) / contextMax)} %)` : "";
  return (
    <span title={`${count(contextUsed)} of ${contextMax === undefined ? "?" : count(contextMax)} tokens`}>
      {short(contextUsed)}
      {part}
    </span>
  );
}

/** What it cost: the gateway's own estimate. */
export function Cost({ session: { costUsd } }: { session: Session }) {
  if (costUsd === undefined) return <Unknown />;
  return <span title="as the gateway estimates">~{dollars(costUsd * 1_000_000)}</span>;
}

export function Unknown() {
  return (
    <span className="text-faint" title="not told">
      ?
    </span>
  );
}
