// The list of runs and the form for the next one: filters, search, what comes while somebody reads, what is remembered.
import { agent, replace } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();
const TASKS = 8;

test.beforeAll(async () => {
  const fix = replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length");
  const delivered = await install().finishedRun({ prompt: "Two spaces count as one", attempts: [{ command: fix }] });
  await install().cli("pick", delivered, "a");
  await install().cli("watch", delivered);
  const attempts = [{ command: "true" }];
  for (let task = 1; task <= TASKS; task++) await install().finishedRun({ prompt: `Task ${task}`, attempts });
});

test.beforeEach(async ({ context, page }) => {
  await install().signIn(context, "operator");
  await page.goto(install().url);
  await expect(page.getByText("Two spaces count as one")).toBeVisible();
});

test("runs are filtered by how they stand, and the address shows the same again", async ({ page }) => {
  const [task, delivered] = [page.getByText("Task 1", { exact: true }), page.getByText("Two spaces count as one")];
  for (const [name, shown, hidden] of [
    ["Delivered", delivered, task],
    ["Needs you", task, delivered],
  ] as const) {
    await page.getByRole("button", { name }).click();
    await expect(hidden).toHaveCount(0);
    await expect(shown).toBeVisible();
    await page.reload();
    await expect(page.getByRole("button", { name, pressed: true })).toBeVisible();
    await expect(shown).toBeVisible();
    await expect(hidden).toHaveCount(0);
  }
  await page.getByRole("button", { name: "Going on" }).click();
  await expect(page.getByText("No run fits")).toBeVisible();
  await page.getByRole("link", { name: "Show all runs" }).click();
  await expect(delivered).toBeVisible();
  await expect(task).toBeVisible();
});

test("runs are found by what they are about, and a search that finds nothing says so", async ({ page }) => {
  await page.keyboard.press("/");
  const field = page.getByRole("searchbox", { name: "Search the runs by title or id" });
  await expect(field).toBeFocused();
  await page.keyboard.type("task 3");
  await expect(page.getByText("Task 3", { exact: true })).toBeVisible();
  await expect(page.getByText("Two spaces count as one")).toHaveCount(0);
  await expect(page).toHaveURL(/[?&]text=task/);
  await field.fill("no such run");
  await expect(page.getByText("Nothing matches the filter “no such run”.")).toBeVisible();
  await page.getByRole("button", { name: "Clear the search" }).click();
  await expect(page.getByText("Two spaces count as one")).toBeVisible();
});

test("what comes while somebody reads further down is counted, and moves nothing", async ({ page }) => {
  await page.setViewportSize({ width: 1_000, height: 330 });
  await page.getByText(`Task ${TASKS - 1}`, { exact: true }).hover();
  await page.mouse.wheel(0, 150);
  await expect(page.getByText(`Task ${TASKS}`, { exact: true })).not.toBeInViewport();
  await install().finishedRun({ prompt: "Brand new", attempts: [{ command: "true" }] });
  const more = page.getByRole("button", { name: "1 new run" });
  await expect(more).toBeVisible();
  await expect(page.getByText("Brand new")).toHaveCount(0);
  await more.click();
  await expect(page.getByText("Brand new")).toBeInViewport();
});

test("the form takes everything a run can be asked with, and remembers it for the next one", async ({ page }) => {
  const command = agent("true reader.sh", "echo read > read.txt");
  await page.goto(`${install().url}/new`);
  await page.getByLabel("Task").fill("Read it twice");
  await page.getByLabel("Repository").fill(install().repository);
  await page.getByLabel("Base").fill("main");
  await page.getByLabel("Agent of attempt 1").selectOption("command");
  await page.getByLabel("Command of attempt 1").fill(command);
  await page.getByLabel("How many times attempt 1").fill("2");
  await page.getByRole("button", { name: "Add an attempt" }).click();
  await page.getByRole("button", { name: "Remove attempt 2" }).click();
  await page.getByRole("button", { name: "Add a check" }).click();
  await page.getByLabel("Command of check 1").fill("test -e read.txt");
  await page.getByText("the first that passes wins; the others are stopped").click();
  await page.getByText("Setup and limits").click();
  await page.getByLabel("Setup command").fill("test -e src/count.js");
  await expect(page.getByText(/^regatta run 'Read it twice' .*--check 'tests=.*--strategy race$/)).toBeVisible();
  await page.getByRole("button", { name: "Start 2 attempts" }).click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-z]{8}/);
  const run = /\/runs\/([0-9a-z]{8})/.exec(page.url())?.[1];
  const { body } = await install().api<{ entries: { command: string }[]; setup: string; checks: object[] }>(
    "GET",
    `/runs/${run}`,
  );
  expect(body.entries.map((entry) => entry.command)).toEqual([command, command]);
  expect(body).toMatchObject({
    row: { strategy: "race", base_ref: "main" },
    setup: "test -e src/count.js",
    checks: [{ name: "tests", command: "test -e read.txt" }],
  });
  await page.goto(`${install().url}/new`);
  await expect(page.getByLabel("Task")).toHaveValue("");
  await expect(page.getByLabel("Repository")).toHaveValue(install().repository);
  await expect(page.getByLabel("Command of attempt 1")).toHaveValue(command);
  await expect(page.getByLabel("How many times attempt 1")).toHaveValue("2");
  await expect(page.getByLabel("Command of check 1")).toHaveValue("test -e read.txt");
  await expect(page.getByRole("radio", { name: /^Race/ })).toBeChecked();
});

test("what is written of a run survives a reload and other pages, until it is thrown away", async ({ page }) => {
  const task = page.getByLabel("Task");
  const kept = page.getByText("Draft kept in this browser");
  await page.goto(`${install().url}/new`);
  await expect(page.getByRole("button", { name: "Discard draft" })).toHaveCount(0);
  await task.fill("Count words of every language");
  await page.getByRole("button", { name: "Add an attempt" }).click();
  await page.getByLabel("Model of attempt 2").fill("large");
  await expect(kept).toBeVisible();
  await page.reload();
  await expect(task).toHaveValue("Count words of every language");
  await page.getByRole("link", { name: "Runs" }).click();
  await page.getByRole("link", { name: "New run" }).click();
  await expect(task).toHaveValue("Count words of every language");
  await expect(page.getByLabel("Model of attempt 2")).toHaveValue("large");
  await page.getByRole("button", { name: "Discard draft" }).click();
  await page.getByRole("button", { name: "Really discard" }).click();
  await expect(task).toHaveValue("");
  await expect(kept).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("button", { name: /^Start/ })).toBeVisible();
  await expect(task).toHaveValue("");
  await expect(page.getByLabel("Model of attempt 2")).toHaveCount(0);
});

test("a run that was started leaves no draft", async ({ page }) => {
  await page.goto(`${install().url}/new`);
  await page.getByLabel("Task").fill("Do nothing at all");
  await page.getByLabel("Repository").fill(install().repository);
  await page.getByLabel("Agent of attempt 1").selectOption("command");
  await page.getByLabel("Command of attempt 1").fill("true");
  await page.getByRole("button", { name: /^Start/ }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Do nothing at all" })).toBeVisible();
  await page.goto(`${install().url}/new`);
  await expect(page.getByLabel("Command of attempt 1")).toHaveValue("true");
  await expect(page.getByLabel("Task")).toHaveValue("");
  await expect(page.getByRole("button", { name: "Discard draft" })).toHaveCount(0);
});

test("a path in what is refused stays as it was written", async ({ page }) => {
  await page.goto(`${install().url}/new`);
  await page.getByLabel("Task").fill("Do nothing at all");
  await page.getByLabel("Repository").fill("/nowhere/at/all");
  await page.getByRole("button", { name: /^Start/ }).click();
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("/nowhere/at/all");
  // Nor does a style give it a capital.
  expect(
    await alert
      .locator("p")
      .first()
      .evaluate((line) => getComputedStyle(line, "::first-letter").textTransform),
  ).toBe("none");
});

for (const path of ["/runs/zzzz", "/runs/zzzzzzzz/timeline"]) {
  test(`${path} says that there is no such run, and where the others are`, async ({ page }) => {
    await page.goto(install().url + path);
    await expect(page.getByRole("heading", { name: `There is no run ${path.split("/")[2]}` })).toBeVisible();
    await page.getByRole("link", { name: "To the runs" }).click();
    await expect(page.getByText("Two spaces count as one")).toBeVisible();
  });
}
