// The keys of the compare page: what a person looks at and decides there, without a mouse.
import type { Page } from "@playwright/test";
import { agent, replace, say, write } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

let three = "";
let nine = "";

test.beforeAll(async () => {
  const shouts = ["toUpperCase().trim()", "toLowerCase()"].map((to) => replace("src/count.js", "toUpperCase()", to));
  three = await install().finishedRun({
    checks: [{ name: "tests", command: "node --test" }],
    attempts: [...shouts, write("docs/words.md", "# Words\n")].map((work) => ({ command: agent(say("works"), work) })),
  });
  const attempts = Array.from({ length: 9 }, (_, at) => ({ command: write("docs/count.md", `${at + 1}\n`) }));
  nine = await install().finishedRun({ attempts });
});

/** Opens the comparison of a run, ready for keys. */
async function open(page: Page, run: string, more = "") {
  await page.goto(`${install().url}/runs/${run}?view=diff${more}`);
  await expect(page.getByRole("article", { name: "Attempt A" })).toBeVisible();
}

test.describe("for who may pick", () => {
  test.beforeEach(async ({ context }) => await install().signIn(context, "approver"));

  test("1 to 9 pick the attempt at that place", async ({ page }) => {
    await open(page, nine);
    for (const [at, name] of [..."ABCDEFGHI"].entries()) {
      await page.keyboard.press(String(at + 1));
      await expect(page.getByRole("dialog", { name: `Pick ${name}` })).toBeVisible();
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toHaveCount(0);
    }
    await page.keyboard.press("9");
    await page.getByRole("dialog").getByRole("textbox", { name: "Reason" }).press("Enter");
    await expect(page.getByText(/^\W?delivered$/).first()).toBeVisible();
    const { body } = await install().api<{ verdict: { winner: string } }>("GET", `/runs/${nine}/compare`);
    expect(body.verdict.winner).toBe("i");
  });

  test("x puts the attempt in focus aside, 2 is then the next one, and it comes back", async ({ page }) => {
    await open(page, three);
    await page.keyboard.press("ArrowRight");
    await expect(page).toHaveURL(/[?&]at=b(&|$)/);
    await page.keyboard.press("x");
    const dialog = page.getByRole("dialog", { name: "Discard B" });
    await dialog.getByRole("textbox", { name: "Reason" }).fill("nothing new");
    await dialog.getByRole("button", { name: "Discard" }).click();
    await expect(page.getByRole("article", { name: "Attempt B" })).toHaveCount(0);
    await page.keyboard.press("2");
    await expect(page.getByRole("dialog", { name: "Pick C" })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "B put aside" }).click();
    await page.getByRole("dialog", { name: "Bring B back" }).getByRole("button", { name: "Bring it back" }).click();
    await expect(page.getByRole("article", { name: "Attempt B" })).toBeVisible();
  });

  test("left and right go from attempt to attempt, and around", async ({ page }) => {
    await open(page, three);
    for (const [key, at] of [
      ["ArrowRight", "b"],
      ["ArrowRight", "c"],
      ["ArrowRight", "a"],
      ["ArrowLeft", "c"],
      ["ArrowLeft", "b"],
    ] as const) {
      await page.keyboard.press(key);
      await expect(page).toHaveURL(new RegExp(`[?&]at=${at}(&|$)`));
      const column = page.getByRole("article", { name: `Attempt ${at.toUpperCase()}` });
      await expect(column.locator("[aria-pressed=true]")).toHaveText(at.toUpperCase());
    }
  });

  test("o, d, c, f and a show output, diff, checks, files and one against another", async ({ page }) => {
    await open(page, three);
    const first = page.getByRole("article", { name: "Attempt A" });
    for (const [key, tab, shows] of [
      ["o", "Output", first.getByText("works", { exact: true })],
      ["d", "Diff", first.getByText("toUpperCase().trim()")],
      ["c", "Checks", first.getByText("$ node --test")],
      ["f", "Files", page.getByText("words.md")],
      ["a", "A ↔ B", page.getByText("toLowerCase()")],
    ] as const) {
      await page.keyboard.press(key);
      await expect(page.getByRole("tab", { name: tab, selected: true })).toBeVisible();
      await expect(shows.filter({ visible: true }).first()).toBeVisible();
    }
  });

  test("b hides who is who and shows it again", async ({ page }) => {
    await open(page, three);
    const hidden = page.getByRole("article").getByRole("heading", { name: "hidden" });
    for (const count of [3, 0]) {
      await page.keyboard.press("b");
      await expect(hidden).toHaveCount(count);
    }
    await expect(page).not.toHaveURL(/blind/);
  });

  test("s begins a synthesis over the diffs and puts it away", async ({ page }) => {
    await open(page, three);
    await page.keyboard.press("c");
    await page.keyboard.press("s");
    const tray = page.getByRole("region", { name: "Synthesis" });
    await expect(tray).toContainText("nothing chosen yet");
    await expect(page.getByRole("tab", { name: "Diff", selected: true })).toBeVisible();
    await page.keyboard.press("s");
    await expect(tray).toHaveCount(0);
  });

  test("y lets the columns loose, l changes how they stand", async ({ page }) => {
    await open(page, three);
    const together = page.getByRole("button", { name: "Together" });
    for (const isTogether of ["false", "true"]) {
      await page.keyboard.press("y");
      await expect(together).toHaveAttribute("aria-pressed", isTogether);
    }
    for (const name of ["Grid", "One at a time", "Side by side"]) {
      await page.keyboard.press("l");
      await expect(page.getByRole("button", { name, pressed: true })).toBeVisible();
    }
  });

  test("? says what each key does here, and what is typed into a field is text", async ({ page }) => {
    await open(page, three);
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keys" });
    for (const about of [
      "Attempt before",
      "Next attempt",
      "Output",
      "Diff against the base",
      "Checks",
      "Blind: hide who is who",
      "Synthesize from hunks",
      "Discard A",
      /^Pick C: /,
    ]) {
      await expect(help.getByText(about).first()).toBeVisible();
    }
    await page.keyboard.press("Escape");
    await page.keyboard.press("1");
    const reason = page.getByRole("dialog", { name: "Pick A" }).getByRole("textbox", { name: "Reason" });
    await expect(reason).toBeFocused();
    await page.keyboard.type("dxc2?");
    await expect(reason).toHaveValue("dxc2?");
    await expect(page.getByRole("dialog")).toHaveCount(1);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("tab", { name: "Diff", selected: true })).toBeVisible();
  });
});

test("for a viewer no key decides anything", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await open(page, three);
  await expect(
    page.getByRole("article", { name: "Attempt A" }).getByText("return text.toUpperCase().trim()"),
  ).toBeVisible();
  for (const key of ["1", "2", "x"]) await page.keyboard.press(key);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toHaveCount(1);
  const help = page.getByRole("dialog", { name: "Keys" });
  await expect(help).toContainText("Next attempt");
  await expect(help).not.toContainText(/Pick|Discard/);
});
