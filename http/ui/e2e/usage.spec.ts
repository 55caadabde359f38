// Usage: what gateways told and attempts of ours, apart and together, and what nobody told.
import type { FakeGateway } from "./harness/gateway";
import { asks, ends, furnished, uses } from "./harness/house";
import { expect, installed, test } from "./harness/test";

const install = installed();
let gateway: FakeGateway;

test.beforeAll(async () => {
  gateway = await furnished(install(), "main");
});
test.afterAll(() => gateway.close());
test.beforeEach(async ({ context }) => await install().signIn(context, "viewer"));

test("before anything was used it says what is counted, and what the gateway says itself", async ({ page }) => {
  await page.goto(`${install().url}/usage`);
  await expect(page.getByText("Nothing was used yet")).toBeVisible();
  const said = page.getByRole("region", { name: "What the gateways say" });
  await expect(said.getByText("4.7k tokens")).toBeVisible();
  await expect(said.getByText("still counting", { exact: false })).toBeVisible();
});

test("answers and attempts are summed up by gateway, agent, model and day", async ({ page }) => {
  await asks(gateway, "r-1", "look");
  await uses(gateway, "r-1", "t-1", "ls", "a");
  await ends(gateway, "r-1", "done");
  await install().finishedRun({ attempts: [{ command: "true" }] });
  await page.goto(`${install().url}/usage`);
  const together = page.getByRole("region", { name: "Together" });
  await expect(together.getByText("1 answer")).toBeVisible();
  await expect(together.getByText("1 attempt")).toBeVisible();
  await expect(together.getByText("≥ $0.0042")).toBeVisible();
  await expect(page.getByRole("row", { name: /main.*1\.3k/ })).toBeVisible();
  await expect(page.getByRole("row", { name: /Regatta's attempts.*\?/ })).toBeVisible();
  await page.getByRole("button", { name: "by model" }).click();
  await expect(page.getByRole("row", { name: /stub-1/ })).toBeVisible();
  await expect(page).toHaveURL(/by=model/);
});
