// One session: what is known of it, what may be changed, and what ends it.
import { Link } from "@tanstack/react-router";
import { MessageSquare } from "lucide-react";
import type { ReactNode } from "react";
import { moment } from "@/format/time";
import { buttonLook } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { useMay } from "@/replay/may";
import { nameOf, type Session } from "./rows";
import { SessionActs } from "./session-acts";
import { SessionForm } from "./session-form";
import { Context, Cost, SessionState, Unknown } from "./session-table";

export function SessionSheet({ session, onClose }: { session: Session; onClose: () => void }) {
  const mayChange = useMay("chat");
  const mayEnd = useMay("sessions");
  const facts: [string, ReactNode][] = [
    ["state", <SessionState key="state" session={session} />],
    ["gateway", session.gateway],
    ["agent", session.agent ?? <Unknown key="agent" />],
    ["kind", session.kind ?? <Unknown key="kind" />],
    [
      "key",
      <code key="key" className="code break-all">
        {session.key}
      </code>,
    ],
    ["model", [session.provider, session.model].filter(Boolean).join("/") || <Unknown key="model" />],
    ["thinking", session.thinking ?? <Unknown key="thinking" />],
    ["context", <Context key="context" session={session} />],
    ["cost", <Cost key="cost" session={session} />],
    ["begun", session.createdAtMs === undefined ? <Unknown key="begun" /> : moment(session.createdAtMs * 1_000)],
    ["last active", session.updatedAtMs === undefined ? <Unknown key="at" /> : moment(session.updatedAtMs * 1_000)],
  ];
  return (
    <Dialog title={nameOf(session)} onClose={onClose} wide>
      <div className="flex flex-col gap-5">
        <dl className="grid gap-x-8 sm:grid-cols-2">
          {facts.map(([name, value]) => (
            <div key={name} className="flex gap-3 border-line border-b py-1.5">
              <dt className="w-24 shrink-0 text-faint">{name}</dt>
              <dd className="min-w-0 break-words tabular-nums">{value}</dd>
            </div>
          ))}
        </dl>
        <Link
          to="/chat"
          search={() => ({ gateway: session.gateway, session: session.key })}
          className={`${buttonLook("primary")} self-start`}
        >
          <MessageSquare size={14} aria-hidden /> Open the chat
        </Link>
        {mayChange && <SessionForm key={session.key} session={session} />}
        {mayEnd ? (
          <SessionActs session={session} onGone={onClose} />
        ) : (
          <p className="text-faint">Admins may compact, reset and delete it.</p>
        )}
      </div>
    </Dialog>
  );
}
