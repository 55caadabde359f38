// Calls of a conversation: over the connection its events come on while that is open, else as requests of their own. A
// proxy that lets no socket through takes nobody's word away.
import { linkTo } from "@/door/link";
import { callGateway } from "@/gateways/use-reads";

export async function talk(gateway: string, method: string, params: object): Promise<unknown> {
  const link = linkTo(gateway);
  return link.snapshot().phase === "open"
    ? await link.call(method, params)
    : await callGateway(gateway, method, params);
}
