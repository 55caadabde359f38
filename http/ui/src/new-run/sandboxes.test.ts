import { expect, test } from "vitest";
import type { ProviderRow } from "@/api/types";
import { offered, problemOf } from "./sandboxes";

const provider = (name: string, problem?: string): ProviderRow => ({
  name,
  capabilities: [],
  ...(problem === undefined ? { fence: "bubblewrap" } : { problem }),
});
const names = (providers: ProviderRow[] | undefined, chosen: string) =>
  offered(providers, chosen).map(({ name }) => name);

test("what cannot be made now is not offered, unless it is chosen already", () => {
  const providers = [provider("docker", "no engine; start it"), provider("host"), provider("local")];
  expect(names(providers, "local")).toEqual(["local", "host"]);
  expect(names(providers, "docker")).toEqual(["local", "host", "docker"]);
  expect(names(undefined, "local")).toEqual(["local", "host"]);
});

test("of what is chosen and cannot be made it is said why", () => {
  const providers = [provider("docker", "no engine; start it"), provider("local")];
  expect(problemOf(providers, "docker")).toBe("no engine; start it");
  expect(problemOf(providers, "e2b")).toContain("e2b");
  expect(problemOf(providers, "local")).toBeUndefined();
  expect(problemOf(undefined, "e2b")).toBeUndefined();
});
