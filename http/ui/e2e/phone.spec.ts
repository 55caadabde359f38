// A phone: the way to every page fits, is reached by key and by finger, and says where one is.
import { expect, installed, test } from "./harness/test";

const install = installed();

for (const width of [390, 360]) {
  test.describe(`${width} px`, () => {
    test.use({ viewport: { width, height: 640 } });

    test("the main pages stand at the bottom, whole, and can be hit", async ({ page, context }) => {
      await install().signIn(context, "admin");
      await page.goto(install().url);
      const bar = page.getByRole("navigation", { name: "Pages", exact: true });
      await expect(bar.getByRole("link", { name: "New run" })).toBeVisible();
      const items = bar.locator("a:visible, button:visible");
      await expect(items).toHaveText(["Runs", "Approvals", "Chat", "New run", "More"], { useInnerText: true });
      for (const item of await items.all()) {
        const box = await item.boundingBox();
        expect(box?.x).toBeGreaterThanOrEqual(0);
        expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(width);
        expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(44);
        expect(await item.evaluate((element) => element.scrollWidth <= element.clientWidth)).toBe(true);
      }
    });
  });
}

test.describe("More", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test("opens by key, keeps the focus, and Esc gives it back", async ({ page, context }) => {
    await install().signIn(context, "viewer");
    await page.goto(install().url);
    const more = page.getByRole("button", { name: /^More pages/ });
    await expect(more).toHaveAttribute("aria-expanded", "false");
    await more.focus();
    await page.keyboard.press("Enter");
    const sheet = page.getByRole("dialog", { name: "More" });
    await expect(sheet.getByRole("link")).toHaveText([
      "Sessions",
      "Agents",
      "Timeline",
      "Fleet",
      "Usage",
      "Gateways",
      "Settings",
    ]);
    for (let tab = 0; tab < 20; tab++) await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.closest("nav[aria-label=Pages] > a"))).toBe(null);
    await page.keyboard.press("Escape");
    await expect(sheet).toHaveCount(0);
    await expect(more).toBeFocused();
  });

  test("leads to a page, closes, and says where one is", async ({ page, context }) => {
    await install().signIn(context, "viewer");
    await page.goto(install().url);
    await page.getByRole("button", { name: /^More pages/ }).click();
    await page.getByRole("dialog", { name: "More" }).getByRole("link", { name: "Fleet" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Fleet" })).toBeVisible();
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await page.getByRole("button", { name: "More pages; Fleet is open" }).click();
    await expect(page.getByRole("link", { name: "Fleet" })).toHaveAttribute("aria-current", "page");
  });

  test("has what stands at the side of a desk: search, the past, the connection, who one is", async ({
    page,
    context,
  }) => {
    await install().signIn(context, "viewer");
    await page.goto(install().url);
    const more = page.getByRole("button", { name: /^More pages/ });
    const sheet = page.getByRole("dialog", { name: "More" });
    await more.click();
    await expect(sheet.getByText("live", { exact: true })).toBeVisible();
    await expect(sheet.getByText("viewer · viewer")).toBeVisible();
    await sheet.getByRole("button", { name: "Search" }).click();
    await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible();
    await page.keyboard.press("Escape");
    await more.click();
    await sheet.getByRole("button", { name: "Look at the past" }).click();
    await expect(page.getByText("REPLAY")).toBeVisible();
    await expect(sheet).toHaveCount(0);
  });
});
