// The disk: what attempts left, cleaned up and put back, on the real server.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { agent, replace, say } from "./harness/agents";
import { screens } from "./harness/places";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

const noise = "head -c 40000 /dev/urandom > $REGATTA_ARTIFACTS/noise.bin";

function disk(page: Page) {
  return page.getByRole("region", { name: "Disk" });
}

function row(page: Page, attempt: string) {
  return disk(page).getByRole("row").filter({ hasText: attempt });
}

test.describe.configure({ mode: "serial" });

test("before anything ran it says what will stand there", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await page.goto(`${install().url}/fleet`);
  await expect(disk(page).getByText("No attempt has left anything yet.", { exact: false })).toBeVisible();
  await expect(disk(page).getByRole("button", { name: "Clean up…" })).toHaveCount(0);
});

test("what takes room is listed, the largest first, with why it stays", async ({ page, context }) => {
  const fix = replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length");
  const other = replace("src/count.js", "toUpperCase", "toLowerCase");
  run = await install().finishedRun({
    prompt: "count() counts two spaces as two words. Make it count one.",
    attempts: [{ command: agent(fix, noise) }, { command: agent(other, noise, noise) }, { command: agent(say("no")) }],
  });
  await install().cli("pick", run, "a");
  await install().cli("watch", run);
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/fleet`);
  await expect(row(page, `${run}.a`)).toContainText("it won");
  await expect(row(page, `${run}.b`)).toContainText("may go, frees 39");
  await expect(disk(page).getByText("What 1 attempt left may go")).toBeVisible();
  await expect(disk(page).getByText("artifacts", { exact: true }).first()).toBeVisible();
  // Who only looks cannot clean.
  await expect(disk(page).getByRole("button")).toHaveCount(0);
});

test("it is cleaned after an archive was made, and says how to have it back", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await page.goto(`${install().url}/fleet`);
  await disk(page).getByRole("button", { name: "Clean up…" }).click();
  const dialog = page.getByRole("dialog", { name: "Clean up" });
  await expect(dialog).toContainText(join(install().data, "cleaned"));
  await dialog.getByLabel("What attempts left that ended").selectOption("more than a week ago");
  await expect(dialog.getByText("Nothing that ended then may go.")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Clean 0 attempts" })).toBeDisabled();
  await dialog.getByLabel("What attempts left that ended").selectOption("at any time");
  await expect(dialog.getByRole("region", { name: "What would go" })).toContainText(`${run}.b`);
  await dialog.getByRole("button", { name: "Clean 1 attempt" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(row(page, `${run}.b`)).toContainText("cleaned, ");
  expect(readdirSync(join(install().data, "cleaned"))).toEqual([`${run}.b.tar.zst`]);
  await expect(disk(page).getByText("Nothing that attempts left may go", { exact: false })).toBeVisible();
  const { status, body } = await install().api<{ type: string; hint: string }>("GET", `/attempts/${run}.b/diff`);
  expect([status, body.type]).toEqual([410, "/problems/cleaned"]);
  await page.goto(`${install().url}/runs/${run}?view=diff`);
  await expect(page.getByText(`regatta clean --restore ${run}.b`, { exact: false }).first()).toBeVisible();
});

for (const theme of ["dark", "light"] as const) {
  test(`it shuts nobody out, ${theme}, on a desk and on a phone`, async ({ browser }) => {
    for (const { name, width, height } of [
      { name: "1440", width: 1440, height: 1300 },
      { name: "390", width: 390, height: 844 },
    ]) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: theme,
        reducedMotion: "reduce",
      });
      await install().signIn(context, "admin");
      const page = await context.newPage();
      await page.goto(`${install().url}/fleet`);
      await expect(row(page, `${run}.b`)).toBeVisible();
      await disk(page).scrollIntoViewIfNeeded();
      await page.screenshot({ path: join(screens, `fleet-disk-${theme}-${name}.png`) });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, "wider than the window").toBeLessThanOrEqual(0);
      for (const way of ["Restore", "Forget"]) {
        await page.getByRole("button", { name: `${way} ${run}.b` }).focus();
        await page.keyboard.press("Enter");
        await expect(page.getByRole("dialog")).toContainText(`${run}.b`);
        await page.screenshot({ path: join(screens, `fleet-${way.toLowerCase()}-${theme}-${name}.png`) });
        const { violations } = await new AxeBuilder({ page }).analyze();
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
        await page.keyboard.press("Escape");
        await expect(page.getByRole("dialog")).toHaveCount(0);
      }
      await context.close();
    }
  });
}

test("Restore brings it back, and it can be picked again", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await page.goto(`${install().url}/fleet`);
  await expect(page.getByRole("button", { name: `Forget ${run}.b` })).toHaveCount(0);
  await page.getByRole("button", { name: `Restore ${run}.b` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect(row(page, `${run}.b`)).toContainText("may go");
  expect(existsSync(join(install().data, "cleaned", `${run}.b.tar.zst`))).toBe(false);
  expect((await install().api("GET", `/attempts/${run}.b/diff`)).status).toBe(200);
  expect((await install().api("POST", `/runs/${run}/pick`, { attempt: "b" })).status).toBe(204);
});

test("an admin may forget an archive for good", async ({ page, context }) => {
  await install().cli("watch", run);
  await install().signIn(context, "admin");
  // The one picked before was delivered and stays; a further run's loser goes.
  const more = await install().finishedRun({ attempts: [{ command: agent(noise) }] });
  await install().cli("clean", more, "--yes");
  await page.goto(`${install().url}/fleet`);
  await page.getByRole("button", { name: `Forget ${more}.a` }).click();
  await expect(page.getByRole("dialog")).toContainText("cannot be had back");
  await page.getByRole("button", { name: "Remove it for good" }).click();
  await expect(row(page, `${more}.a`)).toHaveCount(0);
  expect(readdirSync(join(install().data, "cleaned"))).toEqual([]);
  await page.goto(`${install().url}/timeline?kind=cleaning`);
  await expect(page.getByText("is gone for good", { exact: false })).toBeVisible();
});
