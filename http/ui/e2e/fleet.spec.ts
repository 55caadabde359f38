// The fleet: sandboxes that exist, who waits and why, and leaks.
import { agent, say } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed({ REGATTA_LIMITS_ATTEMPTS: "1" });

test.beforeEach(async ({ context }) => await install().signIn(context, "operator"));

test("before anything ran it says what to do", async ({ page }) => {
  await page.goto(`${install().url}/fleet`);
  await expect(page.getByText("Nobody waits.")).toBeVisible();
  await expect(page.getByText("regatta run", { exact: false })).toBeVisible();
});

test("one runs, one waits and says why, and both are gone when they are over", async ({ page }) => {
  await page.goto(`${install().url}/fleet`);
  const command = agent(say("at work"), install().waitFor("end"));
  const run = await install().run({ attempts: [{ command }, { command }] });
  const provider = page.getByRole("region", { name: "Provider local" });
  await expect(provider.getByRole("cell", { name: "alive" })).toBeVisible();
  await expect(provider.getByRole("link", { name: `${run}.a` })).toBeVisible();
  const queue = page.getByRole("region", { name: "Queue" });
  await expect(queue.getByText(/1\/1|at most 1|limit/)).toBeVisible();
  await page.getByRole("link", { name: "Runs" }).click();
  await expect(page.getByText(/^queued: .*1\/1/)).toBeVisible();
  await page.getByRole("link", { name: "Fleet" }).click();
  install().open("end");
  await expect(provider.getByText("No sandbox exists now.")).toBeVisible();
  await expect(queue.getByText("Nobody waits.")).toBeVisible();
  await expect(page.locator("dl").first().getByTitle("sandboxes that outlived")).toContainText("0");
});
