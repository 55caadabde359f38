// Approvals: the inbox, answers, who was faster.
import { FakeGateway } from "./harness/gateway";
import { expect, installed, test } from "./harness/test";

const install = installed();
let gateway: FakeGateway;

test.beforeAll(async () => {
  gateway = await FakeGateway.open();
  const { status } = await install().api("POST", "/gateways", { name: "main", url: gateway.url, token: "a token" });
  expect(status).toBe(201);
});
test.afterAll(() => gateway.close());
test.beforeEach(async ({ context }) => await install().signIn(context, "approver", "ada"));

test("when nobody asks anything it says when somebody would", async ({ page }) => {
  await page.goto(`${install().url}/approvals`);
  await expect(page.getByText("Nobody asks anything")).toBeVisible();
});

test("the longest waiting stands first, with only the answers that are offered", async ({ page }) => {
  await page.goto(`${install().url}/approvals`);
  await gateway.ask("q-1", "rm -rf build");
  await gateway.ask("q-2", "make deploy", ["allow-once", "allow-always", "deny"]);
  const [first, second] = [page.getByRole("article").nth(0), page.getByRole("article").nth(1)];
  await expect(first.getByText("rm -rf build")).toBeVisible();
  await expect(first.getByText("/lab/run/workspace")).toBeVisible();
  await expect(first.getByText(/\d+:\d\d left/)).toBeVisible();
  await expect(first.getByRole("button", { name: "Always allow" })).toHaveCount(0);
  await expect(second.getByRole("button", { name: "Always allow" })).toBeVisible();
  await expect(page.getByRole("link", { name: /Approvals/ })).toContainText("2");
});

test("an answer reaches the gateway, with a note that stands with it", async ({ page }) => {
  await page.goto(`${install().url}/approvals`);
  const first = page.getByRole("article", { name: "Question main.q-1" });
  await first.getByLabel("Note with the answer").fill("it is made anew");
  await first.getByRole("button", { name: "Allow once" }).click();
  await expect(first).toHaveCount(0);
  expect(await gateway.asked("q-1")).toBe("allowed");
  await page.getByRole("button", { name: "Show what is over" }).click();
  const over = page.getByRole("region", { name: "What is over" });
  await expect(over.getByText("ada, ", { exact: false })).toBeVisible();
  await expect(over.getByText("it is made anew")).toBeVisible();
});

test("the chosen question is answered by its keys, and no other", async ({ page }) => {
  await page.goto(`${install().url}/approvals`);
  const card = page.getByRole("article", { name: "Question main.q-2" });
  await expect(card).toBeVisible();
  await page.keyboard.press("x");
  await expect(card).toBeVisible();
  await page.keyboard.press("j");
  await expect(card).toHaveAttribute("aria-current", "true");
  await expect(page).toHaveURL(/ask=main\.q-2/);
  await page.keyboard.press("x");
  await expect(card).toHaveCount(0);
  expect(await gateway.asked("q-2")).toBe("denied");
});

test("what was answered at the gateway goes away here, and says who", async ({ page }) => {
  await page.goto(`${install().url}/approvals?over=1`);
  await gateway.ask("q-3", "curl https://example.invalid");
  await expect(page.getByRole("article", { name: "Question main.q-3" })).toBeVisible();
  await gateway.answer("q-3", "deny", "cli");
  await expect(page.getByRole("article", { name: "Question main.q-3" })).toHaveCount(0);
  await expect(page.getByText("cli at the gateway, ", { exact: false })).toBeVisible();
});

test("an operator sees the question and may not answer it", async ({ somebody }) => {
  await gateway.ask("q-4", "git push");
  const page = await somebody(install(), "operator");
  await page.goto(`${install().url}/approvals`);
  const card = page.getByRole("article", { name: "Question main.q-4" });
  await expect(card.getByText("Approvers answer this.")).toBeVisible();
  await expect(card.getByRole("button", { name: "Deny" })).toHaveCount(0);
});
