// The clock of the page: any page as it was at any position.
import { agent, replace, say } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

test.beforeAll(async () => {
  run = await install().finishedRun({
    prompt: "Two spaces count as one",
    attempts: [{ command: agent(say("looks"), replace("src/count.js", 'split(" ").length', "split(/ +/).length")) }],
  });
  await install().cli("pick", run, "a");
  await install().cli("watch", run);
});

test.beforeEach(async ({ context }) => {
  await install().signIn(context, "approver");
});

/** The position of the first event of a kind. */
async function seqOf(kind: string): Promise<number> {
  const { body } = await install().api<{ rows: { seq: number }[] }>("GET", `/events?run=${run}&kind=${kind}&limit=1`);
  const [first] = body.rows;
  if (!first) throw new Error(`no ${kind}`);
  return first.seq;
}

test("a link shows the page as it was, says so, and Esc leaves", async ({ page }) => {
  const racing = await seqOf("attempt.started");
  await page.goto(`${install().url}/runs/${run}/timeline?as_of=${racing}`);
  await expect(page.getByText("REPLAY")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Two spaces");
  await expect(page.getByText("racing").first()).toBeVisible();
  await expect(page.getByText("delivered")).toBeHidden();
  await page.keyboard.press("Escape");
  await expect(page.getByText("REPLAY")).toBeHidden();
  await expect(page).not.toHaveURL(/as_of/);
  await expect(page.getByText("delivered").first()).toBeVisible();
});

test("compare shows the columns as they were: nobody has won, and nothing can be done", async ({ page }) => {
  const begun = await seqOf("attempt.phase_started");
  await page.goto(`${install().url}/runs/${run}?as_of=${begun}`);
  const column = page.getByRole("article", { name: "Attempt A" });
  await expect(column.getByText(/running/).first()).toBeVisible();
  await expect(column.getByText("won")).toBeHidden();
  await expect(column.getByText("looks", { exact: true })).toHaveCount(0);
  await expect(column.getByRole("button", { name: /^(Pick|Stop|Discard|Get)/ })).toHaveCount(0);
  await expect(page.getByRole("button", { name: /Stop|Synthesize/ })).toHaveCount(0);
  await page.keyboard.press("1");
  await page.keyboard.press("s");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("region", { name: "Synthesis" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(column.getByText("won")).toBeVisible();
});

test("the moment stays from page to page", async ({ page }) => {
  const asked = await seqOf("run.requested");
  await page.goto(`${install().url}/runs/${run}/timeline?as_of=${asked}`);
  await expect(page.getByText("REPLAY")).toBeVisible();
  await page.getByRole("link", { name: "Fleet" }).click();
  await expect(page).toHaveURL(new RegExp(`/fleet\\?as_of=${asked}$`));
  await expect(page.getByText("REPLAY")).toBeVisible();
  await page.getByRole("link", { name: "Runs" }).click();
  await expect(page.getByText("requested").first()).toBeVisible();
  await expect(page.getByText(/^\W?delivered$/)).toHaveCount(0);
});

test("steps go from event to event, and playing goes on to the end", async ({ page }) => {
  const asked = await seqOf("run.requested");
  await page.goto(`${install().url}/runs/${run}/timeline?as_of=${asked}`);
  await page.getByRole("button", { name: "One event on (.)" }).click();
  await expect(page).not.toHaveURL(new RegExp(`as_of=${asked}$`));
  await page.getByRole("button", { name: "One event back (,)" }).click();
  await expect(page).toHaveURL(new RegExp(`as_of=${asked}$`));
  await page.getByRole("combobox", { name: "Speed" }).selectOption("10");
  await page.getByRole("button", { name: "Play (Space)" }).click();
  await expect(page.getByText("delivered").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Play (Space)" })).toBeVisible();
});

test("the thumb is moved by keys, and marks lead to what matters", async ({ page }) => {
  const verdict = await seqOf("run.decided");
  await page.goto(`${install().url}/runs/${run}/timeline?as_of=${verdict}`);
  const thumb = page.getByRole("slider", { name: "Moment" });
  const asked = await seqOf("run.requested");
  await expect(thumb).toHaveAttribute("min", String(asked));
  await thumb.press("Home");
  await expect(page).toHaveURL(new RegExp(`as_of=${asked}$`));
  const bar = page.getByRole("region", { name: "Replay" });
  await bar.getByRole("button", { name: /^verdict, Seq/ }).click();
  await expect(page).toHaveURL(new RegExp(`as_of=${verdict}$`));
});
