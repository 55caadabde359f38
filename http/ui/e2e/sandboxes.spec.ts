// What may be done with sandboxes from the page, by what their provider can do: on this machine and in real containers.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { agent, say } from "./harness/agents";
import { leaveStray, needsEngine } from "./harness/engine";
import { expect, installed, test } from "./harness/test";

/** The sandboxes of one provider. */
function part(page: Page, provider: string) {
  return page.getByRole("region", { name: `Provider ${provider}` });
}

test.describe("on this machine", () => {
  const install = installed({ REGATTA_DOCKER_HOST: "unix:///nowhere/docker.sock" });

  test("providers are told with what they can do, or why they cannot", async ({ page, context }) => {
    await install().signIn(context, "viewer");
    await page.goto(`${install().url}/fleet`);
    const providers = page.getByRole("region", { name: "Providers" });
    await expect(providers.getByText("unix:///nowhere/docker.sock cannot be used", { exact: false })).toBeVisible();
    // The engine, and gateways, of which there is none.
    await expect(providers.getByText("not now")).toHaveCount(2);
    await expect(providers.getByText("usable")).toHaveCount(2);
    // Who only looks is offered nothing.
    await expect(providers.getByRole("button")).toHaveCount(0);
  });

  test("one in use goes after asking, its attempt is cancelled, and nothing is left behind", async ({
    page,
    context,
    somebody,
  }) => {
    const wait = agent(say("at work"), install().waitFor("never"));
    const run = await install().run({ attempts: [{ command: wait }] });
    const looker = await somebody(install(), "viewer", "vera");
    await looker.goto("/fleet");
    await expect(part(looker, "local").getByRole("cell", { name: "alive" })).toBeVisible();
    await expect(part(looker, "local").getByRole("button")).toHaveCount(0);
    await install().signIn(context, "operator");
    await page.goto(`${install().url}/fleet`);
    const local = part(page, "local");
    await expect(local.getByRole("button", { name: /^Remove regatta-/ })).toBeVisible();
    await expect(local.getByRole("button", { name: /^Copy/ })).toHaveCount(0);
    await local.getByRole("button", { name: /^Remove regatta-/ }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText(`Attempt ${run}.a works in it now: it is cancelled`);
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await expect(dialog).toHaveCount(0);
    await expect(local.getByText("No sandbox exists now.")).toBeVisible();
    const { body } = await install().api<{ state: unknown }>("GET", `/attempts/${run}.a`);
    expect(JSON.stringify(body.state)).toContain("its sandbox was removed by");
    await page.getByRole("button", { name: "Look for what was left behind" }).click();
    await expect(page.getByText("Nothing was left behind.")).toBeVisible();
    await expect(page.getByTitle("sandboxes that outlived their right to exist")).toContainText("0");
  });

  test("of the past nothing is offered", async ({ page, context }) => {
    await install().signIn(context, "operator");
    const { body } = await install().api<{ seq: number }>("GET", "/health");
    await page.goto(`${install().url}/fleet?as_of=${body.seq}`);
    await expect(part(page, "local")).toBeVisible();
    await expect(page.getByRole("button", { name: /^Remove|^Look for what/ })).toHaveCount(0);
  });
});

test.describe("in containers", () => {
  needsEngine();
  const install = installed();

  test("a copy is made where the provider can, looked into, and taken away", async ({ page, context }) => {
    await install().signIn(context, "operator");
    const wait = "echo begun; until [ -e go ]; do sleep 0.05; done; rm go; echo two >> README.md";
    const run = await install().run({ attempts: [{ command: wait, sandbox: "docker" }] });
    await page.goto(`${install().url}/fleet`);
    const docker = part(page, "docker");
    await expect(docker.getByRole("cell", { name: "alive" })).toBeVisible();
    await docker.getByRole("button", { name: /^Copy regatta-/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Copy", exact: true }).click();
    await expect(page.getByRole("dialog")).toHaveCount(0);
    // A copy of a copy is no more than a copy of the first: it is the one that offers none.
    const offersCopy = page.getByRole("button", { name: /^Copy/ });
    const copy = docker.getByRole("row").filter({ hasText: "copy", hasNot: offersCopy });
    await expect(copy).toHaveCount(1);
    await expect(docker.getByRole("button", { name: /^Copy/ })).toHaveCount(1);
    await copy.getByRole("button", { name: /^Remove/ }).click();
    await expect(page.getByRole("dialog")).toContainText("No attempt uses it.");
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await expect(copy).toHaveCount(0);
    await install().cli("sandbox", "exec", `${run}.a`, "--", "touch", "go");
    await install().cli("watch", run);
    await expect(docker.getByText("No sandbox exists now.")).toBeVisible();
  });

  test("what nobody remembers is found, removed and counted", async ({ page, context }) => {
    await install().signIn(context, "operator");
    await page.goto(`${install().url}/fleet`);
    leaveStray(readFileSync(join(install().data, "install"), "utf8").trim());
    await page.getByRole("button", { name: "Look for what was left behind" }).click();
    await expect(page.getByText("Removed 1 sandbox.")).toBeVisible();
    await expect(page.getByTitle("found without a right to exist at a start, and removed")).toContainText("1");
    await expect(page.getByTitle("sandboxes that outlived their right to exist")).toContainText("0");
  });
});
