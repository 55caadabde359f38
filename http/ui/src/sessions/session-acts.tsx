// What ends a session or makes its agent forget: each says first what will happen.
import { type ReactNode, useState } from "react";
import { ActDialog } from "@/compare/pick/act-dialog";
import { callGateway } from "@/gateways/use-reads";
import { Button } from "@/parts/button";
import { nameOf, type Session } from "./rows";

type Act = "compact" | "reset" | "delete";

type Words = { word: string; title: string; params: (session: Session) => object; consequences: ReactNode[] };

const ACTS: Record<Act, Words> = {
  compact: {
    word: "Compact",
    title: "Compact the session",
    params: ({ key }) => ({ key }),
    consequences: [
      "The gateway has a model sum up what was said; from then on the agent sees the summary in place of it.",
      "That uses tokens. While the agent is at work the gateway refuses it.",
      "What Regatta recorded stays as it was.",
    ],
  },
  reset: {
    word: "Reset",
    title: "Reset the session",
    params: ({ key, sessionId }) => ({ key, reason: "reset", ...(sessionId && { expectedSessionId: sessionId }) }),
    consequences: [
      "The agent forgets everything that was said in it and begins anew; its name, model and settings stay.",
      "What Regatta recorded stays as it was.",
    ],
  },
  delete: {
    word: "Delete",
    title: "Delete the session",
    params: ({ key, sessionId }) => ({
      key,
      deleteTranscript: true,
      ...(sessionId && { expectedSessionId: sessionId }),
    }),
    consequences: [
      "It goes away at the gateway, with its transcript; the gateway puts a packed copy of that aside.",
      "A message sent to it later begins a new session of the same key.",
      "What Regatta recorded stays as it was.",
    ],
  },
};

export function SessionActs({ session, onGone }: { session: Session; onGone: () => void }) {
  const [open, setOpen] = useState<Act>();
  return (
    <section aria-label="What ends it" className="flex flex-wrap gap-2">
      {(Object.keys(ACTS) as Act[]).map((act) => (
        <Button key={act} look={act === "compact" ? "plain" : "danger"} onClick={() => setOpen(act)}>
          {ACTS[act].word}
        </Button>
      ))}
      {open && (
        <ActDialog
          title={`${ACTS[open].title} ${nameOf(session)}`}
          consequences={ACTS[open].consequences}
          act={ACTS[open].word}
          isDanger={open !== "compact"}
          takesReason={false}
          onAct={() => callGateway(session.gateway, `sessions.${open}`, ACTS[open].params(session))}
          onDone={open === "delete" ? onGone : undefined}
          onClose={() => setOpen(undefined)}
        />
      )}
    </section>
  );
}
