// Sessions of several gateways: found, opened, changed, reset, deleted.
import type { FakeGateway } from "./harness/gateway";
import { furnished } from "./harness/house";
import { expect, installed, test } from "./harness/test";

const install = installed();
let main: FakeGateway;
let attic: FakeGateway;

test.beforeAll(async () => {
  main = await furnished(install(), "main");
  attic = await furnished(install(), "attic");
});
test.afterAll(() => {
  main.close();
  attic.close();
});

test("those of every gateway stand in one table, found by name and by gateway", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/sessions`);
  await expect(page.getByRole("button", { name: "parser of main" })).toBeVisible();
  await expect(page.getByRole("button", { name: "parser of attic" })).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(7);
  await page.getByLabel("Search the sessions").fill("parser");
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByLabel("Gateway", { exact: true }).selectOption("attic");
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(page).toHaveURL(/gateway=attic/);
  await page.getByRole("button", { name: "parser of attic" }).click();
  const sheet = page.getByRole("dialog", { name: "parser of attic" });
  await expect(sheet.getByText("agent:main:cap-mwrgh2pi")).toBeVisible();
  await expect(sheet.getByText("Admins may compact, reset and delete it.")).toBeVisible();
  await expect(sheet.getByRole("button", { name: "Save" })).toHaveCount(0);
});

test("an operator changes its name and sends nothing else", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await main.answers("sessions.patch", { ok: true });
  await page.goto(`${install().url}/sessions`);
  await page.getByRole("button", { name: "parser of main" }).click();
  const form = page.getByRole("form", { name: "Change the session" });
  await expect(form.getByRole("button", { name: "Save" })).toBeDisabled();
  await form.getByLabel("Name").fill("the parser");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByText("Saved", { exact: false })).toBeVisible();
  expect(await main.calls("sessions.patch")).toEqual([{ key: "agent:main:cap-mwrgh2pi", label: "the parser" }]);
  await expect(page.getByRole("button", { name: "Delete" })).toHaveCount(0);
});

test("an admin is told what a reset does, and what the gateway says when it does not", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/sessions`);
  await page.getByRole("button", { name: "parser of main" }).click();
  await page.getByRole("button", { name: "Reset" }).click();
  const asked = page.getByRole("dialog", { name: /^Reset the session/ });
  await expect(asked.getByText("forgets everything", { exact: false })).toBeVisible();
  await main.denies("sessions.reset", "it is at work");
  await asked.getByRole("button", { name: "Reset" }).click();
  await expect(asked.getByText("it is at work", { exact: false })).toBeVisible();
  await main.answers("sessions.reset", { ok: true });
  await asked.getByRole("button", { name: "Reset" }).click();
  await expect(asked).toHaveCount(0);
  const [first] = await main.calls("sessions.reset");
  expect(first).toMatchObject({ key: "agent:main:cap-mwrgh2pi", expectedSessionId: expect.any(String) });
});

test("a gateway that goes away takes its sessions from the table and says so", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/sessions`);
  await expect(page.getByRole("button", { name: "parser of attic" })).toBeVisible();
  attic.close();
  await expect(page.getByText("attic is not connected", { exact: false })).toBeVisible();
  await expect(page.getByRole("button", { name: "parser of attic" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "parser of main" })).toBeVisible();
});
