// The timeline: every event, filters in the address, pause, one event whole, export, lanes, and the clock of the page.
import { readFileSync } from "node:fs";
import { agent, replace, say } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

test.beforeAll(async () => {
  run = await install().finishedRun({
    prompt: "Two spaces count as one",
    checks: [{ name: "tests", command: "node --test" }],
    attempts: [
      { command: agent(say("looks"), replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length")) },
      { command: agent(say("gives up"), "exit 3") },
    ],
  });
});

test.beforeEach(async ({ context }) => {
  await install().signIn(context, "operator");
});

test("every event of the installation stands there, and the latest runs as bars", async ({ page }) => {
  await page.goto(`${install().url}/timeline`);
  const events = page.getByRole("log", { name: "Events" });
  await expect(events.getByText("run.requested").first()).toBeVisible();
  await expect(page.getByRole("region", { name: "Latest runs" })).toContainText("Two spaces count as one");
});

test("a filter stands in the address, and the address shows the same again", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}/timeline`);
  const events = page.getByRole("log", { name: "Events" });
  await expect(events.getByText("run.requested")).toBeVisible();
  await page.getByRole("button", { name: "attempt", exact: true }).click();
  await expect(page).toHaveURL(/kind=attempt/);
  await expect(events.getByText("run.requested")).toBeHidden();
  await expect(events.getByText("attempt.finished").first()).toBeVisible();
  await page.reload();
  await expect(events.getByText("attempt.finished").first()).toBeVisible();
  await expect(events.getByText("run.requested")).toBeHidden();
});

test("an event is shown whole, with what led to it, and has a link of its own", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}/timeline`);
  await page.getByRole("log", { name: "Events" }).getByText("run.prepared").click();
  await expect(page).toHaveURL(/seq=\d+/);
  const detail = page.getByRole("complementary", { name: /^Event \d+$/ });
  await expect(detail.getByTestId("event-json")).toContainText("base_commit");
  await detail.getByRole("button", { name: /^Seq [\d,]+$/ }).click();
  await expect(detail.getByTestId("event-json")).toContainText("Two spaces count as one");
  await page.reload();
  await expect(detail.getByTestId("event-json")).toContainText("Two spaces count as one");
});

test("from an event it goes to everything its person did, or its attempt went through", async ({ page }) => {
  await page.goto(`${install().url}/timeline?run=${run}`);
  const events = page.getByRole("log", { name: "Events" });
  await events.getByText("run.requested").click();
  const detail = page.getByRole("complementary", { name: /^Event \d+$/ });
  await detail.getByTitle(/^Only events of user:/).click();
  await expect(page).toHaveURL(/actor=user/);
  await expect(events.getByText("attempt.finished")).toHaveCount(0);
  await expect(events.getByText("run.requested")).toHaveCount(1);
  await page.getByRole("button", { name: `run ${run}`, exact: true }).click();
  await expect(page).not.toHaveURL(/run=/);
  await page.goto(`${install().url}/timeline?run=${run}`);
  await events.getByText("attempt.finished").first().click();
  await detail.getByTitle(new RegExp(`^Only events of ${run}\\.[ab]$`)).click();
  await expect(page).toHaveURL(new RegExp(`attempt=${run}\\.[ab]`));
  await expect(events.getByText("run.requested")).toHaveCount(0);
  await expect(events.getByText("attempt.finished")).toHaveCount(1);
});

test("the lanes show each attempt with its phases and marks", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}/timeline`);
  const lanes = page.getByRole("region", { name: "Lanes" });
  await expect(lanes.getByRole("img", { name: /^agent/ })).toHaveCount(2);
  await expect(lanes.getByRole("img", { name: /^check tests ✓/ })).toHaveCount(1);
  await lanes.getByRole("button", { name: /^failed, Seq/ }).click();
  await expect(page.getByRole("complementary", { name: /^Event/ })).toContainText("the agent ended with code 3");
});

test("the selection is exported as lines of JSON, oldest first", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}/timeline?kind=run`);
  await expect(page.getByRole("log", { name: "Events" }).getByText("run.finished").first()).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe(`regatta-${run}.jsonl`);
  const lines = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split("\n");
  const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
  expect(kinds[0]).toBe("run.requested");
  expect(kinds.every((kind) => kind.startsWith("run."))).toBe(true);
});

test("while it is paused, what is new is counted and kept back", async ({ page }) => {
  await page.goto(`${install().url}/timeline?follow=off&kind=run`);
  const events = page.getByRole("log", { name: "Events" });
  await expect(events.getByText("run.requested").first()).toBeVisible();
  const before = await events.getByText("run.requested").count();
  const other = await install().run({ prompt: "Something else", attempts: [{ command: "true" }] });
  const more = page.getByRole("button", { name: /\d+ new$/ });
  await expect(more).toBeVisible();
  await expect(events.getByText("run.requested")).toHaveCount(before);
  await more.click();
  await expect(events.getByText(other).first()).toBeVisible();
});

test("following shows what happens by itself", async ({ page }) => {
  await page.goto(`${install().url}/timeline`);
  const events = page.getByRole("log", { name: "Events" });
  await expect(events.getByText("run.requested").first()).toBeVisible();
  const other = await install().run({ prompt: "And one more", attempts: [{ command: "true" }] });
  await expect(events.getByText(other).first()).toBeVisible();
});
