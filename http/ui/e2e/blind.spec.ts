// A blind comparison: until the vote nothing on the page or in its address tells who is who.
import type { Page } from "@playwright/test";
import { agent, replace, say } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

/** What each attempt is told by: its script, and what it did. The second one is the same as the first. */
const BIRDS = [
  { name: "sparrow", work: replace("src/count.js", 'return text.split(" ").length', "return text.split(/ +/).length") },
  { name: "falcon", work: replace("src/count.js", "text.toUpperCase()", "text.toUpperCase().trim()") },
  { name: "heron", work: replace("src/count.js", "text.toUpperCase()", "text.toUpperCase().trim()") },
  { name: "osprey", work: "exit 3" },
];
/** Names, and what sandboxes and branches are called: both hold the slot. */
const NAMES = /sparrow|falcon|heron|osprey|regatta-\w+-[0-9a-z]{8}-[a-z]|regatta\/[0-9a-z]{8}\//;

let run = "";

test.beforeAll(async () => {
  run = await install().finishedRun({
    checks: [{ name: "where", command: "pwd; exit 1" }],
    attempts: BIRDS.map(({ name, work }) => ({ command: agent(`true ${name}.sh`, say(`I am ${name}`), work) })),
  });
});

/** The slots in the order this person sees them, as only the API tells. */
async function order(page: Page): Promise<string[]> {
  const answer = await page.request.get(`${install().url}/api/v1/runs/${run}/compare?blind=true`);
  return ((await answer.json()) as { columns: { slot: string }[] }).columns.map(({ slot }) => slot);
}

/** People to look for a judge among: hardly ever do so many see an order that tells nothing. */
const JUDGES = 16;

/** Somebody who may pick and whose order is another than that of the run, so that a slot is told from a place. */
async function judge(somebody: (name: string) => Promise<Page>): Promise<Page> {
  for (let number = 1; number <= JUDGES; number++) {
    const page = await somebody(`judge-${number}`);
    const slots = await order(page);
    if (slots[0] !== "a" && slots[1] !== "b") return page;
  }
  throw new Error("everybody sees the order of the run");
}

test("bodies, tooltips, dialogs, keys and the palette name nobody", async ({ somebody }) => {
  const page = await judge((name) => somebody(install(), "approver", name));
  await page.goto(`${install().url}/runs/${run}?blind=1`);
  await expect(page.getByRole("article", { name: "Attempt A" })).toBeVisible();
  // Only what was found is told when it fails: a whole page says nothing.
  const namesNobody = async () => expect((await page.content()).match(NAMES)?.[0]).toBeUndefined();
  for (const view of ["Output", "Diff", "Checks", "Files", "A ↔ B"]) {
    await page.getByRole("tab", { name: view }).click();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    await namesNobody();
  }
  await page.getByRole("tab", { name: "Checks" }).click();
  await expect(page.getByText("pwd").first()).toBeVisible();
  await namesNobody();
  await page.keyboard.press("Control+k");
  await expect(
    page.getByRole("dialog", { name: "Command palette" }).getByText("This run", { exact: true }),
  ).toBeVisible();
  await expect(page.getByRole("dialog").getByText(`${run}.`)).toHaveCount(0);
  await namesNobody();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Pick" }).first().click();
  await expect(page.getByRole("dialog", { name: /^Pick [A-D]$/ })).toBeVisible();
  await namesNobody();
});

test("the address calls attempts by where they stand", async ({ somebody }) => {
  const page = await judge((name) => somebody(install(), "approver", name));
  const slots = await order(page);
  await page.goto(`${install().url}/runs/${run}?blind=1&view=diff&at=a`);
  const first = page.getByRole("article", { name: "Attempt A" });
  await expect(first.locator("[aria-pressed=true]")).toHaveText("A");
  await page.keyboard.press("ArrowRight");
  await expect(page).toHaveURL(/[?&]at=b(&|$)/);
  await page.keyboard.press("ArrowLeft");
  await expect(page).toHaveURL(/[?&]at=a(&|$)/);
  const worked = page.getByRole("article").filter({ hasText: "src/count.js" });
  const name = (await worked.first().getAttribute("aria-label"))?.replace("Attempt ", "") ?? "";
  await worked
    .first()
    .getByRole("button", { name: /into the synthesis$/ })
    .click();
  await expect(page).toHaveURL(new RegExp(`take=${name.toLowerCase()}\\.0\\.`));
  await expect(page.getByRole("button", { name: `Take hunk 1 of ${name} out` })).toBeVisible();
  await page.keyboard.press("b");
  await expect(page).not.toHaveURL(/at=|take=|from=|to=/);
  expect(slots).toHaveLength(BIRDS.length);
});

test("twins are told in the order they stand in", async ({ somebody }) => {
  const page = await judge((name) => somebody(install(), "approver", name));
  const slots = await order(page);
  const twins = ["b", "c"].map((slot) => "ABCD"[slots.indexOf(slot)]).toSorted();
  await page.goto(`${install().url}/runs/${run}?blind=1&view=files`);
  await expect(page.getByText(`≡ ${twins.join(" ")} changed exactly the same`)).toBeVisible();
});

test("the vote names everybody, and the attempt that was chosen is the one that won", async ({ page, context }) => {
  await install().signIn(context, "approver");
  const slots = await order(page);
  await page.goto(`${install().url}/runs/${run}?blind=1&view=diff`);
  const mine = page.getByRole("article").filter({ hasText: "split(/ +/)" });
  const name = (await mine.getAttribute("aria-label"))?.replace("Attempt ", "") ?? "";
  expect(slots["ABCD".indexOf(name)]).toBe("a");
  await mine.getByRole("button", { name: "Pick" }).click();
  await expect(page.getByRole("dialog")).not.toContainText("verdict");
  await page.getByRole("dialog").getByRole("button", { name: /^Pick/ }).click();
  await expect(page.getByRole("status").filter({ hasText: "You picked" })).toContainText(`${name} was A: sparrow.sh`);
  await expect(page.getByRole("article", { name: "Attempt A" })).toContainText("sparrow.sh");
  await expect(page.getByRole("article", { name: "Attempt A" }).getByText("won", { exact: true })).toBeVisible();
  await expect(page).not.toHaveURL(/blind/);
});
