// Settings: what an admin changes, and what others only see.
import { expect, installed, test } from "./harness/test";

const install = installed();

test("an admin makes a token, sees its secret once, and revokes it", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings?part=tokens`);
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("laptop");
  await dialog.getByLabel("Role").selectOption("viewer");
  await dialog.getByRole("button", { name: "Make the token" }).click();
  const secret = (await dialog.getByTestId("secret").textContent())?.trim() ?? "";
  expect(secret.length).toBeGreaterThan(20);
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect(page.getByText("laptop")).toBeVisible();
  await expect(page.getByText(secret)).toBeHidden();
  const revoke = page.getByRole("button", { name: "Revoke laptop" });
  await revoke.click();
  await revoke.click();
  await expect(page.getByText("revoked", { exact: false }).and(page.getByTitle(/^\d{4}-/))).toBeVisible();
});

test("an admin changes a key, and the history says who, from what, to what", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings`);
  await page.getByRole("button", { name: "Change limits.local" }).click();
  await page.getByRole("textbox", { name: "limits.local" }).fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  const history = page.getByRole("region", { name: "History" });
  await expect(history.getByText("limits.local").first()).toBeVisible();
  await expect(history.getByText("→ 5").first()).toBeVisible();
});

test("a value that does not fit is refused with what to do", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings`);
  await page.getByRole("button", { name: "Change limits.local" }).click();
  await page.getByRole("textbox", { name: "limits.local" }).fill("many");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
});

test("a viewer sees the configuration and may change nothing", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/settings`);
  const limits = page.getByRole("region", { name: "limits" });
  await expect(limits.getByText("limits.attempts")).toBeVisible();
  await expect(limits.getByText(/^from .*REGATTA_LIMITS_ATTEMPTS.*; the default is \d+$/)).toBeVisible();
  await expect(page.getByRole("button", { name: /^Change / })).toHaveCount(0);
});

test("an admin lets somebody in, changes what they may do, and puts them out", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings?part=users`);
  await page.getByLabel("Name of a new user").fill("ben");
  await page.getByLabel("Role of the new user").selectOption("viewer");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const role = page.getByLabel("Role of ben");
  await expect(role).toHaveValue("viewer");
  await role.selectOption("approver");
  await page.reload();
  await expect(role).toHaveValue("approver");
  const remove = page.getByRole("button", { name: "Remove ben" });
  await remove.click();
  await remove.click();
  await expect(role).toHaveCount(0);
  const { body } = await install().api<{ rows: { kind: string }[] }>("GET", "/events?kind=user&text=ben");
  expect(body.rows.map(({ kind }) => kind)).toEqual(["user.added", "user.role_changed", "user.removed"]);
});

test("the doctor's findings stand there", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings?part=doctor`);
  await expect(page.getByText("git", { exact: true })).toBeVisible();
});

test("an admin sees which secrets there are and removes one; no value goes over a connection in the clear", async ({
  page,
  context,
}) => {
  await install().api("PUT", "/secrets/openai", { value: "canary-value", scope: { everywhere: true } });
  await install().signIn(context, "admin");
  await page.goto(`${install().url}/settings?part=secrets`);
  await expect(page.getByText("runs of every repository")).toBeVisible();
  await expect(page.getByText("regatta secret set NAME")).toBeVisible();
  await expect(page.getByRole("button", { name: "New secret" })).toHaveCount(0);
  await expect(page.getByText("canary-value")).toHaveCount(0);
  const remove = page.getByRole("button", { name: "Remove openai" });
  await remove.click();
  await remove.click();
  await expect(page.getByText("There is no secret")).toBeVisible();
});
