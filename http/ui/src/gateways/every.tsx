// What pages over several gateways have in common: none yet, some away, and what one did not answer.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { problemOf } from "@/api/problem";
import type { Gateway } from "@/api/types";
import { sentence } from "@/format/sentence";
import { buttonLook } from "@/parts/button";
import { Empty } from "@/parts/empty";
import type { Search } from "@/routes";
import { isConnected, type ReadOfOne } from "./use-reads";

/** Before there is a gateway. */
export function NoGateway({ children }: { children: ReactNode }) {
  return (
    <Empty
      title="No gateway yet"
      command="regatta gateway add main 127.0.0.1:18789 --token-stdin"
      action={
        <Link to="/gateways" className={buttonLook()}>
          To the gateways
        </Link>
      }
    >
      {children}
    </Empty>
  );
}

/** Gateways that cannot be asked now, and those that did not answer: what is shown lacks theirs. */
export function Missing({ gateways, reads }: { gateways: readonly Gateway[]; reads: readonly ReadOfOne<unknown>[] }) {
  const away = gateways.filter((gateway) => !isConnected(gateway));
  const silent = reads.filter((read) => read.error !== null);
  if (away.length === 0 && silent.length === 0) return null;
  return (
    <div role="status" className="border-line border-b bg-warn-wash px-4 py-2">
      <ul className="flex flex-col gap-1">
        {away.map(({ name, link }) => (
          <li key={name} className="break-words">
            <Link to="/gateways" className="font-medium underline-offset-2 hover:underline">
              {name}
            </Link>{" "}
            is not connected, so what it has is not shown.{" "}
            <span className="text-soft">{link?.reason ? sentence(link.reason) : "It is being connected to."}</span>
          </li>
        ))}
        {silent.map(({ gateway, error }) => (
          <li key={gateway} className="break-words">
            <span className="font-medium">{gateway}</span> did not answer: {problemOf(error).detail}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** In the past: what a gateway has is asked of it now, and was not recorded. */
export function NotThen({ what }: { what: string }) {
  return (
    <Empty
      title={`${what} are not recorded`}
      action={
        <Link to="/chat" search={(before: Search) => before} className={buttonLook()}>
          Conversations as they were then
        </Link>
      }
    >
      They are asked of the gateways when somebody looks, so there is nothing to show of the past. What was said and
      done is recorded.
    </Empty>
  );
}
