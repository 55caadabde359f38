// What the compare page says of each attempt at a glance: heads, the matrix of files, and what a merge would come to.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { agent, replace, say, write } from "./harness/agents";
import { git } from "./harness/repository";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";

test.beforeAll(async () => {
  const fix = replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length");
  const other = replace("src/count.js", "toUpperCase()", "toLowerCase()");
  const done = { type: "result", is_error: false, result: "done", total_cost_usd: 0.05 };
  const usage = { input_tokens: 1_200, output_tokens: 34 };
  const words = write("docs/words.md", "# Words\n");
  install().program(
    "claude",
    agent(other, words, write("docs/more.md", "more\n"), say(JSON.stringify({ ...done, usage }))),
  );
  const command = (text: string) => ({ agent: "command", command: text, sandbox: "local" });
  const { body } = await install().api<{ run: string }>("POST", "/runs", {
    prompt: "Two spaces count as one",
    repository: install().repository,
    strategy: "all",
    checks: [{ name: "tests", command: "node --test" }],
    attempts: [command(fix), command(agent(fix, words)), { agent: "claude", model: "sonnet", sandbox: "local" }],
  });
  run = body.run;
  await install().cli("watch", run);
});

/** The head of one column. */
function head(page: Page, name: string) {
  return page.getByRole("article", { name: `Attempt ${name}` }).locator("header");
}

test.beforeEach(async ({ context, page }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/runs/${run}?view=diff`);
});

test("a head says who tries, how it stands, how long it took, what it changed and used, and its fence", async ({
  page,
}) => {
  for (const text of ["passed", "1/1 ✓", "+1 −1 1 file", /^local · (bubblewrap|landlock)/]) {
    await expect(head(page, "A").getByText(text).first()).toBeVisible();
  }
  await expect(head(page, "A").getByTitle("from its first start to its end")).toHaveText(/\d/);
  for (const text of ["claude · sonnet", "checks failed", "0/1 ✗", "3 files", "1.2k↓ 34↑", "$0.05"]) {
    await expect(head(page, "C").getByText(text).first()).toBeVisible();
  }
});

test("the matrix says which file all, some or one changed, and a cell leads to its diff", async ({ page }) => {
  await page.getByRole("tab", { name: "Files" }).click();
  for (const [path, by] of [
    ["src/count.js", "all"],
    ["docs/words.md", "some"],
    ["docs/more.md", "one"],
  ] as const) {
    const row = page.getByRole("row").filter({ has: page.getByTitle(path) });
    await expect(row.getByText(by, { exact: true })).toBeVisible();
  }
  await page.getByRole("button", { name: "Diff of docs/words.md of B" }).click();
  await expect(page).toHaveURL(/[?&]at=b(&|$)/);
  await expect(page.getByRole("article", { name: "Attempt B" }).getByText("# Words", { exact: true })).toBeVisible();
});

test("each head says whether its work merges, and how far its base is behind", async ({ page }) => {
  for (const name of ["A", "C"]) await expect(head(page, name).getByText("merges", { exact: true })).toBeVisible();
  const file = join(install().repository, "src/count.js");
  writeFileSync(file, readFileSync(file, "utf8").replace('text.split(" ").length', 'text.split("\\t").length'));
  appendFileSync(join(install().repository, "README.md"), "More.\n");
  git(install().repository, "commit", "--quiet", "--all", "--message=Tabs");
  await page.reload();
  await expect(head(page, "A").getByText("1 conflict, 1 behind")).toBeVisible();
  await expect(head(page, "C").getByText("merges, 1 behind")).toBeVisible();
});
