// What happens to a page while the world around it changes: reloads, restarts, other people.
import type { Locator } from "@playwright/test";
import { agent, replace, say, sayLines } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

test("a reload in the middle of a stream loses no line and shows none twice", async ({ page, context }) => {
  await install().signIn(context, "operator");
  const command = agent(sayLines("before", 200), install().waitFor("reloaded"), sayLines("after", 200), say("the end"));
  const run = await install().run({ attempts: [{ command }] });
  await page.goto(`${install().url}/runs/${run}?view=output`);
  const column = page.getByRole("article", { name: "Attempt A" });
  await expect(column.getByText("before 200", { exact: true })).toBeVisible();
  await page.reload();
  await expect(column.getByText("before 200", { exact: true })).toBeVisible();
  install().open("reloaded");
  await expect(column.getByText("the end", { exact: true })).toBeVisible();
  const seen = await everyLine(column);
  const wanted = ["before", "after"].flatMap((word) => Array.from({ length: 200 }, (_, at) => `${word} ${at + 1}`));
  expect(seen.filter((line) => /^(before|after) \d+$/.test(line))).toEqual(wanted);
});

test("columns of output scroll together, each for itself once they are let loose, and all go to the end", async ({
  page,
  context,
}) => {
  const command = agent(sayLines("line", 300));
  const run = await install().finishedRun({ attempts: [{ command }, { command }] });
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/runs/${run}?view=output`);
  const boxes = ["A", "B"].map((name) => page.getByRole("region", { name: `Output of attempt ${name}` }));
  const [a, b] = boxes as [Locator, Locator];
  const place = (box: Locator) => box.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  for (const box of boxes) await expect(box.getByText("line 300", { exact: true })).toBeVisible();
  const scroll = (box: Locator, by: number) =>
    box.evaluate((box, by) => {
      box.dispatchEvent(new WheelEvent("wheel", { deltaY: by }));
      box.scrollTop += by;
    }, by);
  await scroll(a, -1_500);
  await expect.poll(() => place(b)).toBeGreaterThan(1_400);
  await page.getByRole("button", { name: "Together" }).click();
  const stays = await place(b);
  await scroll(a, -500);
  await expect.poll(() => place(a)).toBeGreaterThan(1_900);
  expect(await place(b)).toBe(stays);
  await page.getByRole("button", { name: "Together" }).click();
  await a.locator("..").getByRole("button", { name: "End" }).click();
  for (const box of boxes) await expect(box.getByText("line 300", { exact: true })).toBeVisible();
});

test("a server that restarts under an open page is found again, and nothing is missing", async ({ page, context }) => {
  await install().signIn(context, "operator");
  const command = agent(say("before the restart"), install().waitFor("back"), say("after the restart"));
  const run = await install().run({ attempts: [{ command }] });
  await page.goto(`${install().url}/runs/${run}?view=output`);
  const column = page.getByRole("article", { name: "Attempt A" });
  await expect(column.getByText("before the restart", { exact: true })).toBeVisible();
  await install().stop("SIGKILL");
  await expect(page.getByRole("alert").filter({ hasText: "connection lost, showing Seq" })).toBeVisible();
  await install().start();
  await expect(page.getByText("connection lost")).toBeHidden();
  install().open("back");
  await expect(column.getByText("after the restart", { exact: true })).toBeVisible();
  await expect(column.getByText("before the restart", { exact: true })).toHaveCount(1);
  await expect(
    column
      .getByText("nothing to compare")
      .or(column.getByText(/unchanged|changed nothing/))
      .first(),
  ).toBeVisible();
});

test("what one person does the other one sees", async ({ page, context, somebody }) => {
  const command = replace("src/count.js", "toUpperCase", "toLowerCase");
  const run = await install().finishedRun({ attempts: [{ command }] });
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/runs/${run}`);
  await expect(page.getByText("undecided").first()).toBeVisible();
  const other = await somebody(install(), "approver");
  await other.goto(`${install().url}/runs/${run}`);
  await other.getByRole("article", { name: "Attempt A" }).getByRole("button", { name: "Pick" }).click();
  await other.getByRole("dialog").getByRole("button", { name: "Pick A" }).click();
  await expect(page.getByText(/^\W?delivered$/).first()).toBeVisible();
});

/** Every line of a column's output, from the first to the last, read while scrolling through it. */
async function everyLine(column: Locator): Promise<string[]> {
  return await column.locator("section").evaluate(async (box) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const lines = new Map<number, string>();
    const take = () => {
      for (const row of box.querySelectorAll<HTMLElement>("[data-index]")) {
        lines.set(Number(row.dataset.index), row.textContent ?? "");
      }
    };
    for (let still = 0; still < 10; still += 1) {
      // What comes meanwhile is followed until the page has heard of the wheel.
      if (still === 0 || box.scrollTop > 0) {
        box.dispatchEvent(new WheelEvent("wheel", { deltaY: -1 }));
        box.scrollTop = 0;
      }
      await frame();
      take();
    }
    while (box.scrollTop + box.clientHeight < box.scrollHeight - 1) {
      const before = box.scrollTop;
      box.scrollTop += box.clientHeight / 2;
      await frame();
      await frame();
      take();
      if (box.scrollTop === before) break;
    }
    return [...lines.entries()].sort(([a], [b]) => a - b).map(([, line]) => line);
  });
}
