// Why a gateway is not connected, or what it does not let us do, and what to do about it.
import type { Gateway } from "@/api/types";
import { sentence } from "@/format/sentence";
import { CommandLine } from "@/parts/command-line";

export function Trouble({ gateway }: { gateway: Gateway }) {
  const { reason, advice, pairing } = gateway.link ?? gateway;
  if (reason === null && gateway.lacks.length === 0) return null;
  return (
    <div role="status" className="flex flex-col gap-2 border-line border-b bg-warn-wash px-4 py-3">
      {gateway.lacks.map((lack) => (
        <p key={lack}>The gateway does not let us have {lack}</p>
      ))}
      {reason !== null && <p className="break-words font-medium">{sentence(reason)}</p>}
      {pairing !== null ? (
        <Pairing gateway={gateway.name} request={pairing} />
      ) : (
        advice !== null && <p className="break-words text-soft">{sentence(advice)}</p>
      )}
      {gateway.state !== "connected" && (
        <p className="text-soft">While it is not connected, what its agents ask is denied at once.</p>
      )}
    </div>
  );
}

/** What to run where, in order. */
function Pairing({ gateway, request }: { gateway: string; request: string }) {
  return (
    <ol className="flex list-inside list-decimal flex-col gap-2">
      <li>
        On the gateway's machine, approve this device:
        <CommandLine command={`openclaw devices approve ${request}`} />
      </li>
      <li>
        Then test the connection below, or here:
        <CommandLine command={`regatta gateway pair ${gateway}`} />
      </li>
    </ol>
  );
}
