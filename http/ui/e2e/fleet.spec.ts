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
  const limits = page.getByRole("region", { name: "Limits" });
  await expect(limits.getByText("1 of 1, full")).toBeVisible();
  await expect(limits.getByText("1, no limit")).toBeVisible();
  await expect(limits.getByRole("link", { name: `${run}.a` }).first()).toBeVisible();
  await page.getByRole("link", { name: "Runs" }).click();
  await expect(page.getByText(/^queued: .*1\/1/)).toBeVisible();
  await page.getByRole("link", { name: "Fleet" }).click();
  install().open("end");
  await expect(provider.getByText("No sandbox exists now.")).toBeVisible();
  await expect(queue.getByText("Nobody waits.")).toBeVisible();
  await expect(limits.getByText("0 of 1")).toBeVisible();
  await expect(page.locator("dl").first().getByTitle("sandboxes that outlived")).toContainText("0");
});

test("a sandbox says since when it is there, and what its agent cost so far", async ({ page }) => {
  const usage = { input_tokens: 5, output_tokens: 2 };
  const told = { type: "result", is_error: false, result: "half of it", usage, total_cost_usd: 0.05 };
  install().program("claude", agent(say(JSON.stringify(told)), install().waitFor("paid")));
  await install().api("POST", "/runs", {
    prompt: "Two spaces count as one",
    repository: install().repository,
    strategy: "all",
    attempts: [{ agent: "claude", sandbox: "local" }],
  });
  type Told = { providers: { sandboxes: { cost_usd_micros: number | null }[] }[] };
  const costs = async () => {
    const { body } = await install().api<Told>("GET", "/fleet");
    return body.providers.flatMap(({ sandboxes }) => sandboxes.map((sandbox) => sandbox.cost_usd_micros));
  };
  await expect.poll(costs).toEqual([50_000]);
  await page.goto(`${install().url}/fleet`);
  const row = page.getByRole("region", { name: "Provider local" }).getByRole("row").last();
  await expect(row.getByRole("cell", { name: "$0.05" })).toBeVisible();
  await expect(row.getByTitle(/^since \d{4}-/)).toHaveText(/\d/);
  install().open("paid");
});
