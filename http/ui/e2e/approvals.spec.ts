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

test("a link to a question that is settled says who settled it, and how", async ({ page }) => {
  await page.goto(`${install().url}/approvals?ask=main.q-3`);
  const settled = page.getByRole("status", { name: "The question you came for" });
  await expect(settled).toContainText("denied");
  await expect(settled).toContainText("curl https://example.invalid");
  await expect(settled).toContainText("cli at the gateway, ");
  await settled.getByRole("button", { name: "Close" }).click();
  await expect(settled).toHaveCount(0);
});

test("who answers a moment too late is told whose answer counts, and it stays in sight", async ({ page }) => {
  await page.goto(`${install().url}/approvals`);
  await gateway.ask("q-5", "rm -rf dist");
  await page.route("**/approvals/main.q-5/answer", async (route) => {
    await gateway.answer("q-5", "deny", "cli");
    await expect(page.getByRole("article", { name: "Question main.q-5" })).toHaveCount(0);
    await route.continue();
  });
  const card = page.getByRole("article", { name: "Question main.q-5" });
  await card.getByRole("button", { name: "Allow once" }).click();
  const settled = page.getByRole("status", { name: "The question you came for" });
  await expect(settled).toContainText("no other answer counts");
  await expect(settled).toContainText("denied");
  await expect(settled).toContainText("cli at the gateway, ");
});

test("an operator sees the question and may not answer it", async ({ somebody }) => {
  await gateway.ask("q-4", "git push");
  const page = await somebody(install(), "operator");
  await page.goto(`${install().url}/approvals`);
  const card = page.getByRole("article", { name: "Question main.q-4" });
  await expect(card.getByText("Approvers answer this.")).toBeVisible();
  await expect(card.getByRole("button", { name: "Deny" })).toHaveCount(0);
});

test("one answer settles the same question of a run's attempts, and no other", async ({ page }) => {
  await gateway.askOf("7q2k9x0m-a", "s-1", "make check");
  await gateway.askOf("7q2k9x0m-b", "s-2", "make check");
  await gateway.askOf("7q2k9x0m-c", "s-3", "make publish");
  await page.goto(`${install().url}/approvals`);
  const card = (id: string) => page.getByRole("article", { name: `Question main.${id}` });
  await expect(card("s-3")).toBeVisible();
  await expect(card("s-3").getByText("Answer all")).toHaveCount(0);
  await expect(page).toHaveTitle(/^\(\d+\) Approvals/);
  await card("s-1").getByText("Answer all 2").click();
  await card("s-1").getByRole("button", { name: "Deny, all 2" }).click();
  await expect(card("s-1")).toHaveCount(0);
  await expect(card("s-2")).toHaveCount(0);
  expect([await gateway.asked("s-1"), await gateway.asked("s-2"), await gateway.asked("s-3")]).toEqual([
    "denied",
    "denied",
    "pending",
  ]);
});

test("what a plugin asks is read and answered as a command is", async ({ page }) => {
  await gateway.askAsPlugin("plugin:1", "Send customer update");
  await page.goto(`${install().url}/approvals`);
  const card = page.getByRole("article", { name: "Question main.plugin:1" });
  await expect(card.getByText("To three people.")).toBeVisible();
  await card.getByRole("button", { name: "Allow once" }).click();
  await expect(card).toHaveCount(0);
  expect(await gateway.asked("plugin:1")).toBe("allowed");
});

test("a rule is looked at before it is added, answers what it is about, and goes again", async ({ somebody }) => {
  await gateway.ask("r-1", "make docs");
  const page = await somebody(install(), "admin");
  await page.goto(`${install().url}/approvals`);
  const card = page.getByRole("article", { name: "Question main.r-1" });
  await card.getByRole("button", { name: "Make a rule" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a rule" });
  await expect(dialog.getByLabel("Command")).toHaveValue("make docs");
  await dialog.getByLabel("Command").fill("make *");
  await dialog.getByRole("button", { name: "Preview" }).click();
  await expect(dialog.getByRole("status")).toContainText("It would have answered");
  await expect(dialog.getByRole("list", { name: "What it would have answered" })).toContainText("make docs");
  await dialog.getByLabel("Name").fill("docs");
  await dialog.getByLabel("Why").fill("docs are harmless");
  await dialog.getByRole("button", { name: "Add it" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(card).toHaveCount(0);
  expect(await gateway.asked("r-1")).toBe("allowed");
  const rules = page.getByRole("region", { name: "Rules" });
  await expect(rules).toContainText("docs are harmless");
  await page.getByRole("button", { name: "Show what is over" }).click();
  const over = page.getByRole("region", { name: "What is over" });
  await expect(over.getByText("rule docs, ", { exact: false })).toBeVisible();
  await rules.getByRole("button", { name: "Remove the rule docs" }).click();
  await expect(rules).toContainText("people answer everything");
  await gateway.ask("r-2", "make docs");
  await expect(page.getByRole("article", { name: "Question main.r-2" })).toBeVisible();
});

test("the browser tells of a question that is about to expire, once, and only whoever allowed it", async ({ page }) => {
  await page.clock.install();
  await page.addInitScript(() => {
    const told: string[] = [];
    class Told {
      static readonly permission = "granted";
      constructor(title: string, options: { body: string }) {
        told.push(`${title}: ${options.body}`);
      }
    }
    Object.assign(window, { Notification: Told, told });
  });
  const told = () => page.evaluate(() => (window as unknown as { told: string[] }).told);
  await gateway.ask("n-1", "sleep 7");
  await page.goto(`${install().url}/runs`);
  await expect(page.getByRole("link", { name: /Approvals/ })).toContainText(/\d/);
  expect(await told()).toEqual([]);
  await page.clock.fastForward("26:00");
  await expect.poll(told).toContainEqual("main of main waits 4 min more: sleep 7");
  await page.clock.fastForward("00:05");
  expect((await told()).filter((notice) => notice.endsWith("sleep 7"))).toHaveLength(1);
});
