// Each page before there is anything to show: while it is read, when it cannot be read, and when the server is gone. Each
// says so, and what to do; pictures of it stand with the others in target/screens.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { screens } from "./harness/places";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

const PLACES: [name: string, path: () => string][] = [
  ["runs", () => "/"],
  ["compare", () => `/runs/${run}`],
  ["run-timeline", () => `/runs/${run}/timeline`],
  ["timeline", () => "/timeline"],
  ["approvals", () => "/approvals"],
  ["chat", () => "/chat"],
  ["sessions", () => "/sessions"],
  ["agents", () => "/agents"],
  ["fleet", () => "/fleet"],
  ["usage", () => "/usage"],
  ["gateways", () => "/gateways"],
  ["settings", () => "/settings"],
  ["settings-tokens", () => "/settings?part=tokens"],
  ["settings-users", () => "/settings?part=users"],
  ["settings-doctor", () => "/settings?part=doctor"],
];

test.beforeAll(async () => {
  mkdirSync(screens, { recursive: true });
  run = await install().finishedRun({ attempts: [{ command: "true" }, { command: "true" }] });
});

/** What pages are made of, but for who is asking and whether the server is there. */
const VIEWS = /\/api\/v1\/(?!me$|health|events\/stream)/;

async function isWithin(page: Page, name: string) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow, `${name} is wider than the window`).toBeLessThanOrEqual(0);
}

for (const [size, viewport] of [
  ["1440", { width: 1440, height: 900 }],
  ["390", { width: 390, height: 844 }],
] as const) {
  test.describe(`${size} px`, () => {
    test.use({ viewport });
    test.beforeEach(async ({ context }) => await install().signIn(context, "admin"));

    test("while it is read, a page shows where things will be", async ({ page }) => {
      await page.route(VIEWS, () => undefined);
      for (const [name, path] of PLACES) {
        await page.goto(install().url + path(), { waitUntil: "commit" });
        await expect(page.getByRole("status", { name: "Loading" }).first(), name).toBeVisible();
        await page.screenshot({ path: join(screens, `${name}-loading-dark-${size}.png`) });
        await isWithin(page, name);
      }
    });

    test("when it cannot be read, a page says why and offers to try again", async ({ page }) => {
      const detail = "the index at /var/lib/regatta/index is being rebuilt";
      await page.route(VIEWS, (route) =>
        route.fulfill({
          status: 500,
          contentType: "application/problem+json",
          body: JSON.stringify({
            type: "/problems/internal",
            title: "internal",
            status: 500,
            detail,
            hint: "wait a little",
          }),
        }),
      );
      for (const [name, path] of PLACES) {
        await page.goto(install().url + path());
        const alert = page.getByRole("main").getByRole("alert").first();
        await expect(alert, name).toContainText("The index at /var/lib/regatta/index is being rebuilt");
        await expect(alert.getByRole("button", { name: "Try again" }), name).toBeVisible();
        await page.screenshot({ path: join(screens, `${name}-failed-dark-${size}.png`) });
        await isWithin(page, name);
      }
    });

    test("when the server is gone, what was read stays, and the page says how old it is", async ({ page }) => {
      const lost = page.getByText(/connection lost/);
      for (const [name, path] of PLACES.slice(0, 2)) {
        await page.goto(install().url + path());
        await expect(page.getByText("Two spaces count as one").first()).toBeVisible();
        await install().stop();
        await expect(lost, name).toBeVisible();
        await expect(page.getByText("Two spaces count as one").first()).toBeVisible();
        await page.screenshot({ path: join(screens, `${name}-lost-dark-${size}.png`) });
        await isWithin(page, name);
        await install().start();
        await expect(lost).toHaveCount(0);
      }
      await page.goto(install().url);
      await expect(page.getByText("Two spaces count as one").first()).toBeVisible();
      await install().stop();
      await expect(lost).toBeVisible();
      // A page that was never open comes with the server, and takes nothing away before.
      if (size === "1440") await page.keyboard.type("gu");
      else {
        await page.getByRole("button", { name: /^More pages/ }).click();
        await page.getByRole("dialog").getByRole("link", { name: "Usage" }).click();
      }
      await expect(lost).toBeVisible();
      await page.screenshot({ path: join(screens, `elsewhere-lost-dark-${size}.png`) });
      await install().start();
      await expect(page.getByRole("heading", { level: 1, name: "Usage" })).toBeVisible();
      await expect(lost).toHaveCount(0);
    });
  });
}
