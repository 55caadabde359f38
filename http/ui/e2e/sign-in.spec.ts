// Coming in and going out.
import { expect, installed, test } from "./harness/test";

const install = installed();

test("a one-time link signs in, once", async ({ page, browser }) => {
  const link = await install().signInLink();
  await page.goto(link);
  await expect(page.getByRole("navigation", { name: "Pages" })).toBeVisible();
  expect(page.url()).not.toContain("key=");
  const other = await browser.newContext();
  const again = await other.newPage();
  await again.goto(link);
  await expect(again.getByRole("navigation", { name: "Pages" })).toBeHidden();
  await other.close();
});

test("whoever is not signed in comes to the form, and back to where they wanted to go", async ({ page }) => {
  const token = await install().token("viewer");
  await page.goto(`${install().url}/fleet`);
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/fleet/);
  await expect(page.getByRole("heading", { name: "Fleet" })).toBeVisible();
});

test("whoever signs out sees nothing any more", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(install().url);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto(`${install().url}/fleet`);
  await expect(page).toHaveURL(/\/sign-in/);
});
