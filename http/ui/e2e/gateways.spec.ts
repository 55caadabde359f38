// Gateways: none yet, one that is well, one that has to be paired, gaps and restarts.
import { FakeGateway } from "./harness/gateway";
import { expect, installed, test } from "./harness/test";

const install = installed();
let gateway: FakeGateway;

test.beforeAll(async () => {
  gateway = await FakeGateway.open();
});
test.afterAll(() => gateway.close());
test.beforeEach(async ({ context }) => await install().signIn(context, "admin"));

test("before there is any it says how to add one", async ({ page }) => {
  await page.goto(`${install().url}/gateways`);
  await expect(page.getByText("No gateway yet")).toBeVisible();
  await expect(page.getByText("regatta gateway add main", { exact: false })).toBeVisible();
});

test("a gateway that does not know this device says what to run where, and is connected once it was run", async ({
  page,
}) => {
  await gateway.wantsPairing("r-1");
  await page.goto(`${install().url}/gateways`);
  await page.getByRole("button", { name: "Add a gateway" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("no token is taken here", { exact: false })).toBeVisible();
  await dialog.getByLabel("Name").fill("main");
  await dialog.getByLabel("Address").fill(gateway.url);
  await dialog.getByRole("button", { name: "Add it" }).click();
  const card = page.getByRole("region", { name: "Gateway main" });
  await expect(card.getByText("stopped")).toBeVisible();
  await expect(card.getByText("openclaw devices approve r-1")).toBeVisible();
  await expect(page.getByRole("link", { name: /Gateways/ })).toContainText("1 away");
  await gateway.approve();
  await card.getByRole("button", { name: "Test the connection" }).click();
  await expect(card.getByText("questions can be heard and answered")).toBeVisible();
  await expect(card.getByText(/●\s*connected$/)).toBeVisible();
  await expect(card.getByText("2026.9.6", { exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: /Gateways/ })).not.toContainText("away");
});

test("its health, what was missed and its restarts stand there", async ({ page }) => {
  await page.goto(`${install().url}/gateways`);
  const card = page.getByRole("region", { name: "Gateway main" });
  await gateway.say("health", { ok: true, agents: [{}], sessions: { count: 3 }, plugins: { errors: [] } });
  await gateway.skip(4);
  await gateway.say("tick", {});
  await expect(card.getByText("4 events in 1 gap")).toBeVisible();
  await expect(card.getByText("1 agent, 3 sessions")).toBeVisible();
  await gateway.restart();
  await expect(card.getByText("the gateway restarted 1 time", { exact: false })).toBeVisible();
});

test("an operator may test it and not remove it, a viewer neither", async ({ somebody }) => {
  for (const [role, tests] of [
    ["operator", 1],
    ["viewer", 0],
  ] as const) {
    const page = await somebody(install(), role);
    await page.goto(`${install().url}/gateways`);
    const card = page.getByRole("region", { name: "Gateway main" });
    await expect(card.getByText(/●\s*connected$/)).toBeVisible();
    await expect(card.getByRole("button", { name: "Test the connection" })).toHaveCount(tests);
    await expect(card.getByRole("button", { name: "Remove main" })).toHaveCount(0);
  }
});

test("a gateway is removed", async ({ page }) => {
  await page.goto(`${install().url}/gateways`);
  const remove = page.getByRole("button", { name: "Remove main" });
  await remove.click();
  await remove.click();
  await expect(page.getByText("No gateway yet")).toBeVisible();
});
