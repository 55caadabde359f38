// The job itself: ask for a run in the form, watch it, compare, choose, deliver.
import { agent, replace, say } from "./harness/agents";
import { git } from "./harness/repository";
import { expect, installed, test } from "./harness/test";

const install = installed();

const FIX = replace("src/count.js", 'return text.split(" ").length', "return text.split(/ +/).length");
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the agent writes.
const SHOUT = replace("src/count.js", "text.toUpperCase()", "`${text.toUpperCase()}!`");
const TESTS = [{ name: "tests", command: "node --test" }];

test("a run is started in the form and watched live to its end", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await page.goto(`${install().url}/new`);
  await page.getByLabel("Task").fill("Two spaces count as one");
  await page.getByLabel("Repository").fill(install().repository);
  const command = agent(say("reads the tests"), install().waitFor("live"), FIX, say("all done now"));
  await page.getByLabel("Agent of attempt 1").selectOption("command");
  await page.getByLabel("Command of attempt 1").fill(command);
  await page.getByText("Setup and limits").click();
  await page.getByLabel("Memory, GiB").fill("2");
  await page.getByLabel(/^Starts/).fill("1");
  await expect(page.getByText(/^REGATTA_RUN_MEMORY=2GiB REGATTA_RUN_STARTS=1 regatta run/)).toBeVisible();
  await page.getByRole("button", { name: /^Start \d+ attempts?$/ }).click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-z]{8}/);
  const run = /\/runs\/([0-9a-z]{8})/.exec(page.url())?.[1];
  const { body } = await install().api<{ limits: object }>("GET", `/runs/${run}`);
  expect(body.limits).toMatchObject({ memory_bytes_max: 2 * 2 ** 30, starts_max: 1, agent_timeout_ms: 3_600_000 });
  const column = page.getByRole("article", { name: "Attempt A" });
  await expect(column.getByText("reads the tests", { exact: true })).toBeVisible();
  await expect(column.getByText("all done now", { exact: true })).toBeHidden();
  install().open("live");
  await expect(column.getByText("all done now", { exact: true })).toBeVisible();
  await expect(column.getByText(/passed/).first()).toBeVisible();
});

test("attempts stand side by side with what came of them, and a pick is delivered", async ({ page, context }) => {
  const run = await install().finishedRun({
    checks: TESTS,
    attempts: [{ command: agent(say("thinks"), FIX) }, { command: agent(say("guesses"), SHOUT) }],
  });
  await install().signIn(context, "approver");
  await page.goto(`${install().url}/runs/${run}`);
  const [a, b] = [page.getByRole("article", { name: "Attempt A" }), page.getByRole("article", { name: "Attempt B" })];
  const diff = { name: /^Diff of attempt/ };
  await expect(a.getByRole("region", diff).getByText("split(/ +/)")).toBeVisible();
  await expect(b.getByRole("region", diff).getByText("toUpperCase()}!")).toBeVisible();
  await page.getByRole("tab", { name: "Output" }).click();
  await expect(a.getByText("thinks", { exact: true })).toBeVisible();
  await expect(b.getByText("guesses", { exact: true })).toBeVisible();
  await page.getByRole("tab", { name: "Checks" }).click();
  await expect(b.getByText("two spaces count once").first()).toBeVisible();
  await page.getByRole("tab", { name: "Files" }).click();
  await expect(page.getByText("count.js").first()).toBeVisible();
  await page.getByRole("tab", { name: "A ↔ B" }).click();
  await expect(page.getByText("toUpperCase()}!").filter({ visible: true }).first()).toBeVisible();
  const [left, right] = [page.getByLabel("First"), page.getByLabel("Second")];
  const sides = async (first: string, second: string) => {
    await expect(left).toHaveValue(first);
    await expect(right).toHaveValue(second);
  };
  await sides("A", "B");
  await page.getByRole("button", { name: "Swap" }).click();
  await sides("B", "A");
  await page.keyboard.press("w");
  await sides("A", "B");
  // What stands on the other side already changes places: nothing is compared with itself.
  await left.selectOption("B");
  await sides("B", "A");
  await right.selectOption("B");
  await sides("A", "B");
  await page.keyboard.press("1");
  const dialog = page.getByRole("dialog", { name: "Pick A" });
  await expect(dialog).toContainText(`regatta/${run}/a`);
  await dialog.getByLabel("Reason").fill("the smaller change");
  await dialog.getByRole("button", { name: "Pick A" }).click();
  await expect(page.getByText(/^\W?delivered$/).first()).toBeVisible();
  await expect(page.getByText("the smaller change").first()).toBeVisible();
  expect(git(install().repository, "show", `regatta/${run}/a:src/count.js`)).toContain("split(/ +/)");
});

test("hunks of two attempts become one more attempt, whose commit names them", async ({ page, context }) => {
  const run = await install().finishedRun({
    checks: TESTS,
    attempts: [{ command: FIX }, { command: SHOUT }],
  });
  await install().signIn(context, "approver");
  await page.goto(`${install().url}/runs/${run}?view=diff`);
  for (const name of ["Attempt A", "Attempt B"]) {
    await page
      .getByRole("article", { name })
      .getByRole("button", { name: /^Take hunk 1 of .* into the synthesis$/ })
      .click();
  }
  const tray = page.getByRole("region", { name: "Synthesis" });
  await expect(tray.getByText("fits together")).toBeVisible();
  await tray.getByLabel("Reason").fill("both");
  await tray.getByRole("button", { name: "Make the attempt" }).click();
  await expect(page).toHaveURL(/[?&]at=c(&|$)/);
  const made = page.getByRole("article", { name: "Attempt C" });
  await expect(made.getByText(/passed/).first()).toBeVisible();
  await made.getByRole("button", { name: "Pick" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pick C" }).click();
  await expect(page.getByText(/^\W?delivered$/).first()).toBeVisible();
  const branch = `regatta/${run}/c`;
  const file = git(install().repository, "show", `${branch}:src/count.js`);
  expect(file).toContain("split(/ +/)");
  expect(file).toContain("toUpperCase()}!");
  const message = git(install().repository, "log", "-1", "--format=%B", branch);
  expect(message).toContain("A src/count.js @@");
  expect(message).toContain("B src/count.js @@");
});

test("a branch that cannot be made says why, and the verdict stands", async ({ page, context }) => {
  const run = await install().finishedRun({ attempts: [{ command: FIX }] });
  // Where a branch of that name is, no branch below it can be.
  git(install().repository, "branch", `regatta/${run}`);
  await install().signIn(context, "approver");
  await page.goto(`${install().url}/runs/${run}`);
  await page.getByRole("article", { name: "Attempt A" }).getByRole("button", { name: "Pick" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pick A" }).click();
  await expect(page.getByText(/^\W?undelivered$/).first()).toBeVisible();
  await expect(page.getByRole("note")).toContainText("The branch could not be made");
  await page.keyboard.press("t");
  const task = page.getByRole("dialog", { name: "The task" });
  await expect(task).toContainText("Two spaces count as one");
  await expect(task).toContainText("A by approver");
});

test("a viewer sees everything and can pick nothing", async ({ somebody }) => {
  const run = await install().finishedRun({ attempts: [{ command: FIX }] });
  const viewer = await somebody(install(), "viewer");
  await viewer.goto(`${install().url}/runs/${run}`);
  const column = viewer.getByRole("article", { name: "Attempt A" });
  await expect(column.getByRole("region", { name: /^Diff of attempt/ }).getByText("split(/ +/)")).toBeVisible();
  await expect(column.getByRole("button", { name: "Pick" })).toHaveCount(0);
  const answer = await viewer.evaluate(async (path) => {
    const headers = { "content-type": "application/json", "idempotency-key": "by-hand" };
    return (await fetch(path, { method: "POST", headers, body: JSON.stringify({ attempt: "a" }) })).status;
  }, `/api/v1/runs/${run}/pick`);
  expect(answer).toBe(403);
});

test("a check with a long name is named in the output on one line, over nothing else", async ({ page, context }) => {
  const name = "counts words of every language that has spaces, and of those that have none, as people count them";
  const run = await install().finishedRun({
    checks: [{ name, command: say("checked") }],
    attempts: [{ command: agent(FIX, say("the end of the agent")) }],
  });
  await install().signIn(context, "viewer");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${install().url}/runs/${run}?view=output`);
  const output = page.getByRole("region", { name: "Output of attempt A" });
  const mark = await output.getByText(name).boundingBox();
  const line = await output.getByText("checked", { exact: true }).boundingBox();
  expect(mark?.height).toBeLessThanOrEqual(19);
  expect((mark?.y ?? 0) + (mark?.height ?? 0)).toBeLessThanOrEqual((line?.y ?? 0) + 1);
  expect((mark?.x ?? 0) + (mark?.width ?? 0)).toBeLessThanOrEqual(390);
});
