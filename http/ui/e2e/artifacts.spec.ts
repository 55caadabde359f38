// What attempts leave besides their changes: listed with their checks, saved with a click, never shown.
import { readFileSync } from "node:fs";
import { agent, quoted, replace } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

const PAGE = "<script>alert('artifact')</script>";
const NAME = "<img src=x onerror=alert(1)>.html";

let run = "";

test.beforeAll(async () => {
  const leave = [
    `printf '%s' ${quoted(PAGE)} > "$REGATTA_ARTIFACTS"/${quoted(NAME)}`,
    `printf '\\001\\377' > "$REGATTA_ARTIFACTS/page shot.png"`,
    `ln -s /etc/passwd "$REGATTA_ARTIFACTS/link"`,
  ];
  run = await install().finishedRun({
    checks: [{ name: "tests", command: "echo junit > $REGATTA_ARTIFACTS/junit.xml" }],
    attempts: [
      { command: agent(replace("src/count.js", "toUpperCase", "toLowerCase"), ...leave) },
      { command: agent("true") },
    ],
  });
});

test.beforeEach(async ({ context }) => await install().signIn(context, "viewer"));

test("artifacts stand below the checks, with sizes and what was not kept", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}?view=checks`);
  const left = page.getByRole("article", { name: "Attempt A" }).getByRole("region", { name: "Artifacts" });
  await expect(left.getByRole("link")).toHaveText([`agent/${NAME}`, "agent/page shot.png", "check-0/junit.xml"]);
  await expect(left).toContainText("3 files, 42 B, 1 not kept");
  await expect(left).toContainText("not kept: link: no regular file");
  const other = page.getByRole("article", { name: "Attempt B" });
  await expect(other.getByRole("region", { name: "Artifacts" })).toHaveCount(0);
});

test("an artifact is saved byte for byte, and nothing in it is executed", async ({ page, watch }) => {
  await page.goto(`${install().url}/runs/${run}?view=checks`);
  for (const [name, content] of [
    ["agent/page shot.png", Buffer.from([1, 255])],
    [`agent/${NAME}`, Buffer.from(PAGE)],
  ] as const) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByTitle(`Save ${name}`).click()]);
    expect(readFileSync(await download.path())).toEqual(content);
  }
  expect(watch.seen).toEqual([]);
});

test("a browser that opens an artifact's address saves it all the same", async ({ page, context }) => {
  const address = `${install().url}/api/v1/attempts/${run}.a/artifacts/agent/${encodeURIComponent(NAME)}`;
  const answer = await context.request.get(address);
  expect(answer.headers()["content-disposition"]).toContain("attachment");
  expect(answer.headers()["content-security-policy"]).toBe("default-src 'none'; sandbox");
  await page.goto(install().url);
  const [download] = await Promise.all([page.waitForEvent("download"), page.goto(address).catch(() => undefined)]);
  expect(readFileSync(await download.path(), "utf8")).toBe(PAGE);
});
