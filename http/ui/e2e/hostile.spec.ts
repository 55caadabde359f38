// Text from agents is text: nothing that an agent prints, names or writes is executed on the page.
import { agent, quoted, say, write } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

const HTML = `<img src=x onerror="alert('output')"><script>alert('script')</script><svg onload=alert(1)>`;
const NAME = "<img src=x onerror=alert(1)>.js";
const LINK = "\u001b]8;;javascript:alert(1)\u001b\\click me\u001b]8;;\u001b\\";

let run = "";

test.beforeAll(async () => {
  const steps = [
    say(HTML),
    `printf ${quoted(`${LINK}\\n`)}`,
    write(NAME, `${HTML}\n`),
    write("</script><b>.md", HTML),
    write("javascript:alert(1)", "x\n"),
  ];
  run = await install().finishedRun({
    prompt: `${HTML}\n\nand more`,
    checks: [{ name: HTML.slice(0, 40), command: say(HTML) }],
    attempts: [{ command: agent(...steps) }, { command: agent(say(HTML), "exit 1") }],
  });
});

test.beforeEach(async ({ context }) => await install().signIn(context, "admin"));

const PAGES = [
  "/",
  "/new",
  "/timeline",
  "/fleet",
  "/settings",
  ...["output", "diff", "checks", "files", "ab"].map((view) => `/runs/RUN?view=${view}`),
  "/runs/RUN/timeline",
];

for (const path of PAGES) {
  test(`nothing is executed on ${path}`, async ({ page, watch }) => {
    await page.goto(install().url + path.replace("RUN", run));
    await expect(page.getByRole("navigation", { name: "Pages" })).toBeVisible();
    if (path.includes("RUN")) await expect(page.getByText(/onerror=|<script>/).first()).toBeVisible();
    expect(await page.locator("img[src='x'], svg[onload], [onerror], a[href^='javascript']").count()).toBe(0);
    // A picture that was loaded by mistake has had its turn.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    expect(watch.seen).toEqual([]);
  });
}

test("an event with HTML in it is shown as text", async ({ page }) => {
  await page.goto(`${install().url}/runs/${run}/timeline`);
  await page.getByRole("log", { name: "Events" }).getByText("run.requested").click();
  await expect(page.getByTestId("event-json")).toContainText("<script>alert('script')</script>");
});

test("no route of the API answers a browser with a document of an agent", async ({ context }) => {
  for (const path of [`/attempts/${run}.a/output`, `/attempts/${run}.a/diff`, `/events?run=${run}`]) {
    const answer = await context.request.get(`${install().url}/api/v1${path}`);
    expect(answer.ok()).toBe(true);
    expect(answer.headers()["content-type"] ?? "").not.toContain("html");
    expect(answer.headers()["x-content-type-options"]).toBe("nosniff");
  }
});

test("the policy of every page allows nothing but files of this server", async ({ context }) => {
  for (const path of ["/", "/timeline", `/runs/${run}`, "/sign-in"]) {
    const policy = (await context.request.get(install().url + path)).headers()["content-security-policy"] ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/unsafe-(inline|eval)/);
  }
});
