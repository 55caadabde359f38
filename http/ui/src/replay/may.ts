// What is offered: what the server says this person may do, and nothing while the past is looked at. The server decides
// again on every request.
import { useMe } from "@/api/me";
import { useReplay } from "./replay";

/** What the server calls the things one may do. */
export type Right =
  | "run"
  | "restore"
  | "synthesize"
  | "sandboxes"
  | "clean"
  | "doctor"
  | "test-gateways"
  | "chat"
  | "answer"
  | "configure"
  | "tokens"
  | "users"
  | "secrets"
  | "gateways"
  | "sessions"
  | "agents"
  | "rules"
  | "forget";

/** Whether the role of whoever is signed in allows it, now or in the past; nothing while that is not known. */
export function useRole(): ((right: Right) => boolean) | undefined {
  const { data: me } = useMe();
  return me && ((right) => me.can.includes(right));
}

/** Whether it is to be offered here and now; no while that is not known. */
export function useMay(right: Right): boolean {
  const { asOf } = useReplay();
  const allows = useRole();
  return asOf === undefined && (allows?.(right) ?? false);
}
