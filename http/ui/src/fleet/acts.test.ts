import { describe, expect, it } from "vitest";
import type { ProviderRow } from "@/api/types";
import { actsOn } from "./acts";

const provider = (capabilities: string[]): ProviderRow => ({ name: "docker", capabilities });

describe("what is offered on a sandbox", () => {
  it.each([
    ["alive", false, ["fork"], ["copy", "remove"]],
    ["alive", false, ["pause"], ["remove"]],
    ["alive", true, ["fork"], ["remove"]],
    ["forked", false, ["fork"], ["remove"]],
    ["failed", false, ["fork"], ["remove"]],
    ["intended", false, ["fork"], []],
  ] as const)("%s, leaked %s, provider can %j", (state, is_leak, capabilities, offered) => {
    expect(actsOn({ state, is_leak }, provider([...capabilities]))).toEqual(offered);
  });

  it("is nothing more before the provider is known", () => {
    expect(actsOn({ state: "alive", is_leak: false }, undefined)).toEqual(["remove"]);
  });
});
