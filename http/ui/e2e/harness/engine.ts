// The machine's Docker engine, for tests that need one: skipped with the reason where there is none.
import { execFileSync } from "node:child_process";
import { test } from "./test";

/** What `cargo xtask image` makes. */
const IMAGE = "regatta/base:bookworm";

/** What the engine answers; nothing when it refuses or is not there. */
function docker(...args: string[]): string | undefined {
  try {
    return execFileSync("docker", args, { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

/** Skips the tests of a file where there is no engine with the image; says so, and fails where nothing may be missing. */
export function needsEngine() {
  test.beforeAll(() => {
    const has = docker("image", "inspect", "--format", "{{.Id}}", IMAGE) !== undefined;
    if (!has && process.env.REGATTA_TEST_REQUIRE === "all")
      throw new Error(`no engine with ${IMAGE}: cargo xtask image`);
    test.skip(!has, `no Docker engine with the image ${IMAGE}`);
  });
}

/** A container that looks like a sandbox of that installation which nobody remembers. */
export function leaveStray(owner: string): string {
  const key = `regatta-${owner}-aaaaaaaa-a-1`;
  const labels = { owner, scope: "sandbox-", key };
  const told = Object.entries(labels).map(([name, value]) => `--label=dev.regatta.${name}=${value}`);
  const made = docker("create", `--name=sandbox-${key}`, "--network=none", ...told, IMAGE, "true");
  if (made === undefined) throw new Error("the engine makes no container");
  return key;
}
