// The buttons on a sandbox: a copy to look into, where its provider can make one, and taking it away.
import { useState } from "react";
import { command } from "@/api/client";
import type { ProviderRow, Sandbox } from "@/api/types";
import { ActDialog } from "@/compare/pick/act-dialog";
import { Button } from "@/parts/button";
import { useMay } from "@/replay/may";
import { type Act, actsOn } from "./acts";

/** As `regatta sandbox fork` keeps a copy when nobody says how long. */
const COPY_MS = 3_600_000;

type Props = { sandbox: Sandbox; provider: ProviderRow | undefined };

export function SandboxActs({ sandbox, provider }: Props) {
  const mayAct = useMay("sandboxes");
  const [asked, setAsked] = useState<Act>();
  if (!mayAct) return null;
  const offered = actsOn(sandbox, provider);
  const close = () => setAsked(undefined);
  return (
    <span className="inline-flex gap-2">
      {offered.includes("copy") && (
        <Button size="small" onClick={() => setAsked("copy")} aria-label={`Copy ${sandbox.key}`}>
          Copy
        </Button>
      )}
      {offered.includes("remove") && (
        <Button size="small" look="danger" onClick={() => setAsked("remove")} aria-label={`Remove ${sandbox.key}`}>
          Remove
        </Button>
      )}
      {asked === "copy" && <CopyDialog sandbox={sandbox} onClose={close} />}
      {asked === "remove" && <RemoveDialog sandbox={sandbox} onClose={close} />}
    </span>
  );
}

type DialogProps = { sandbox: Sandbox; onClose: () => void };

function CopyDialog({ sandbox, onClose }: DialogProps) {
  return (
    <ActDialog
      title={`Copy the sandbox of ${sandbox.attempt}`}
      act="Copy"
      takesReason={false}
      consequences={[
        <>Its files as they are now go into a sandbox of their own. Nothing runs in there, and the attempt goes on.</>,
        <>It stands in this list, and is removed after an hour.</>,
        <>
          Look into it: <code className="code">regatta sandbox exec NAME -- git status</code>
        </>,
      ]}
      onAct={(_, key) => command("POST", `/sandboxes/${sandbox.key}/fork`, { for_ms: COPY_MS }, { key })}
      onClose={onClose}
    />
  );
}

function RemoveDialog({ sandbox, onClose }: DialogProps) {
  const isUsed = sandbox.state === "alive" && sandbox.right_ended_at_us === null;
  return (
    <ActDialog
      title={`Remove ${sandbox.key}`}
      act="Remove"
      isDanger
      takesReason={false}
      consequences={[
        <>Every process in it is ended and every file in it goes.</>,
        isUsed ? (
          <span key="used" className="text-warn">
            Attempt {sandbox.attempt} works in it now: it is cancelled, and what was not collected is lost.
          </span>
        ) : (
          <span key="unused">No attempt uses it.</span>
        ),
      ]}
      onAct={() => command("DELETE", `/sandboxes/${sandbox.key}`, undefined, { params: { force: isUsed } })}
      onClose={onClose}
    />
  );
}
