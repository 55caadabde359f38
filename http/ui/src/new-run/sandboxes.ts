// Which sandboxes are offered: those that can be made now, and the one that is chosen all the same. Pure.
import type { ProviderRow } from "@/api/types";

const ABOUT: Record<string, string> = {
  local: "local, fenced",
  host: "host, no fence",
  docker: "docker, a container",
  e2b: "E2B, rented",
  daytona: "Daytona, rented",
  gateway: "your gateways",
};
/** Until the server has said which there are. */
const ALWAYS = ["local", "host"];
/** The one people mean when they say nothing comes first. */
const FIRST = "local";

export function offered(providers: ProviderRow[] | undefined, chosen: string): { name: string; about: string }[] {
  const usable = providers?.filter((provider) => provider.problem === undefined).map((provider) => provider.name);
  const names = new Set([...(usable ?? ALWAYS), chosen]);
  const sorted = [...names].sort((one, other) => Number(other === FIRST) - Number(one === FIRST));
  return sorted.map((name) => ({ name, about: ABOUT[name] ?? name }));
}

/** Why no sandbox of that name can be made now. */
export function problemOf(providers: ProviderRow[] | undefined, chosen: string): string | undefined {
  if (providers === undefined) return undefined;
  const provider = providers.find(({ name }) => name === chosen);
  return provider === undefined ? `The server has no sandboxes named ${chosen}.` : provider.problem;
}
