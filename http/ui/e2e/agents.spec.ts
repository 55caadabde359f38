// Agents and their files: read by everybody, written by admins, never over what somebody else wrote.
import { captured, type FakeGateway } from "./harness/gateway";
import { furnished } from "./harness/house";
import { expect, installed, test } from "./harness/test";

const install = installed();
let gateway: FakeGateway;
const address = () => `${install().url}/agents?at=main&agent=fixture-bot&file=SOUL.md`;

test.beforeAll(async () => {
  gateway = await furnished(install(), "main");
});
test.afterAll(() => gateway.close());

/** What stands in the file now. */
async function stands(content: string, hash: string) {
  const answer = captured<{ file: object }>("agents.files.get");
  await gateway.answers("agents.files.get", { ...answer, file: { ...answer.file, content, hash } });
}

test("a viewer reads what an agent is", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/agents`);
  await page.getByRole("button", { name: /Fixture Bot/ }).click();
  await expect(page.getByLabel("Content of AGENTS.md")).toBeVisible();
  await page.getByRole("button", { name: /^SOUL\.md/ }).click();
  await expect(page.getByLabel("Content of SOUL.md")).toHaveValue("# Soul\nBe brief.\n");
  await expect(page).toHaveURL(/file=SOUL\.md/);
  await expect(page.getByText("Admins may change it.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save" })).toHaveCount(0);
});

test("a change survives a reload and is saved over what it was made of", async ({ page, context }) => {
  await install().signIn(context, "admin");
  await stands("old", "h-1");
  await gateway.answers("agents.files.set", { ok: true });
  await page.goto(address());
  await page.getByLabel("Content of SOUL.md").fill("new");
  await expect(page.getByText("kept in this browser", { exact: false })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Content of SOUL.md")).toHaveValue("new");
  await stands("new", "h-2");
  await page.keyboard.press("Control+s");
  await expect(page.getByText("Saved.")).toBeVisible();
  const saved = { agentId: "fixture-bot", name: "SOUL.md", content: "new", expectedHash: "h-1" };
  expect(await gateway.calls("agents.files.set")).toEqual([saved]);
});

test("what somebody else wrote meanwhile is shown beside, and nothing is overwritten unseen", async ({
  page,
  context,
}) => {
  await install().signIn(context, "admin");
  await stands("first", "h-3");
  await page.goto(address());
  await expect(page.getByLabel("Content of SOUL.md")).toHaveValue("first");
  await page.getByLabel("Content of SOUL.md").fill("mine");
  await stands("theirs", "h-4");
  await gateway.denies("agents.files.set", `agent file "SOUL.md" changed since it was read`);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByLabel("As it is written now")).toHaveValue("theirs");
  await expect(page.getByLabel("Yours")).toHaveValue("mine");
  await page.getByLabel("Yours").fill("both");
  await gateway.answers("agents.files.set", { ok: true });
  await page.getByRole("button", { name: "Write mine over it" }).click();
  await expect(page.getByLabel("Yours")).toHaveCount(0);
  await stands("both", "h-5");
  await page.reload();
  await expect(page.getByLabel("Content of SOUL.md")).toHaveValue("both");
  const calls = await gateway.calls("agents.files.set");
  expect(calls.at(-1)).toMatchObject({ content: "both", expectedHash: "h-4" });
});
