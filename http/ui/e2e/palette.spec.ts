// Keys and the palette: every page and every run without a mouse.
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

test.beforeAll(async () => {
  run = await install().finishedRun({ prompt: "A run to be found", attempts: [{ command: "true" }] });
});

test.beforeEach(async ({ context, page }) => {
  await install().signIn(context, "operator");
  await page.goto(install().url);
  await expect(page.getByText("A run to be found").first()).toBeVisible();
});

for (const [keys, path, heading] of [
  ["g t", "/timeline", "Timeline"],
  ["g f", "/fleet", "Fleet"],
  ["g s", "/settings", "Settings"],
  ["g c", "/chat", "Chat"],
  ["g e", "/sessions", "Sessions"],
  ["g n", "/agents", "Agents"],
  ["g u", "/usage", "Usage"],
] as const) {
  test(`${keys} goes to ${heading}, and g r back`, async ({ page }) => {
    for (const key of keys.split(" ")) await page.keyboard.press(key);
    await expect(page).toHaveURL(new RegExp(`${path}$`));
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await expect(page.getByText("A run to be found").first()).toBeVisible();
    await expect(page).toHaveURL(/\/$/);
  });
}

test("the palette finds runs, attempts, pages and actions", async ({ page }) => {
  const open = async (text: string) => {
    await page.keyboard.press("Control+k");
    await expect(page.getByPlaceholder(/Type a command/)).toBeFocused();
    await page.keyboard.type(text);
  };
  await open("to be found");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/runs/${run}`));
  await open(`${run}.a`);
  // The attempts are known once the comparison is read.
  await expect(page.getByRole("option", { name: new RegExp(`${run}\\.a`) })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/at=a/);
  await open("fleet");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/fleet/);
  await open("look at the past");
  await page.keyboard.press("Enter");
  await expect(page.getByText("REPLAY")).toBeVisible();
});

test("keys do not reach the page while the palette is being loaded", async ({ page }) => {
  let load = () => {};
  const asked = new Promise<void>((resolve) => {
    load = resolve;
  });
  await page.route(/palette-[^/]*\.js$/, async (route) => {
    await asked;
    await route.continue();
  });
  await page.goto(`${install().url}/runs/${run}`);
  await expect(page.getByRole("article", { name: "Attempt A" })).toBeVisible();
  for (const key of ["Control+k", "1", "?"]) await page.keyboard.press(key);
  load();
  await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(1);
});

test("? shows every key that works here", async ({ page }) => {
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toContainText("Go to Timeline");
});
