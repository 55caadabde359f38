// What may be done with a sandbox, by where it stands and what its provider can do. Pure.
import type { ProviderRow, Sandbox } from "@/api/types";

export type Act = "copy" | "remove";

/** The acts to offer; a provider that is not known yet can do nothing beyond what all can. */
export function actsOn(sandbox: Pick<Sandbox, "state" | "is_leak">, provider: ProviderRow | undefined): Act[] {
  if (sandbox.state === "intended") return [];
  const canCopy = sandbox.state === "alive" && !sandbox.is_leak && provider?.capabilities.includes("fork");
  return canCopy ? ["copy", "remove"] : ["remove"];
}
