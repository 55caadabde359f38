// Each page in both themes, on a desk and on a phone: a picture of it is written to target/screens at every run, to be
// looked at before a change lands; it is not wider than the window; and nothing on it shuts somebody out.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { agent, replace, say, sayLines, write } from "./harness/agents";
import { cramped } from "./harness/fits";
import type { FakeGateway } from "./harness/gateway";
import { asks, ends, furnished, SESSION, speaks, uses } from "./harness/house";
import { screens } from "./harness/places";
import { expect, installed, test } from "./harness/test";

const install = installed({ REGATTA_LIMITS_ATTEMPTS: "3" });
const SIZES = [
  { name: "1440", width: 1440, height: 900 },
  { name: "390", width: 390, height: 844 },
  { name: "360", width: 360, height: 640 },
];
let done = "";
/** Where in the log its request stands. */
let asked = 0;
let going = "";
let ten = "";
let gateway: FakeGateway;

test.beforeAll(async () => {
  mkdirSync(screens, { recursive: true });
  gateway = await furnished(install(), "main");
  await install().api("POST", "/gateways", { name: "attic", url: "ws://127.0.0.1:1", token: "a token" });
  await gateway.ask("q-1", "git push --force origin main");
  await gateway.ask("q-2", `cat <<'END' > notes.md\n${"a long line ".repeat(30)}\nEND`, [
    "allow-once",
    "allow-always",
    "deny",
  ]);
  await gateway.ask("q-3", "rm -rf build");
  await gateway.answer("q-3", "deny", "cli");
  await gateway.say("health", { ok: true, agents: [{}], sessions: { count: 12 }, plugins: { errors: [] } });
  await asks(gateway, "t-1", "What is in the folder, and is any of it ours?");
  await uses(gateway, "t-1", "c-1", "ls -la --color=never /lab/run/workspace", "notes.md\nsrc");
  await ends(gateway, "t-1", "There are two:\n```\nnotes.md\nsrc/\n```\nBoth are ours.");
  await asks(gateway, "t-2", `Then ${"tell me all of it ".repeat(20)}`);
  await speaks(gateway, "t-2", "I read notes.md and then");
  const fix = replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length");
  const rewrite = write("src/count.js", "export const count = (text) => text.split(/\\s+/).filter(Boolean).length;\n");
  done = await install().finishedRun({
    prompt: "count() counts two spaces as two words. Make it count one.",
    checks: [{ name: "tests", command: "node --test" }],
    attempts: [
      { command: agent(say("reading src/count.js"), fix, say("one line changed")), model: "small" },
      {
        command: agent(say("rewriting everything"), rewrite, write("docs/words.md", "# Words\n"), sayLines("step", 40)),
      },
      { command: agent(say("could not find it"), "exit 2") },
    ],
  });
  const requests = await install().api<{ rows: { seq: number }[] }>("GET", "/events?kind=run.requested&limit=1");
  asked = requests.body.rows[0]?.seq ?? 0;
  await install().cli("pick", done, "a");
  await install().finishedRun({ prompt: "Nothing to do here", attempts: [{ command: "true" }] });
  const strange = write("docs/תיקייה/ملف-long-name-that-goes-on-and-on-and-on-and-on.md", "# שלום 🚀 مرحبا\n");
  ten = await install().finishedRun({
    prompt: `إصلاح 🚀 ${"a task that is told at great length ".repeat(40)}\n\nand more\n${"x".repeat(300)}`,
    attempts: Array.from({ length: 10 }, (_, at) => ({ command: agent(strange, say(`مرحبا 🚀 ${at}`)) })),
  });
  const command = agent(
    "true agent.sh",
    sayLines("thinking about part", 60),
    say("waits for you"),
    install().waitFor("end"),
  );
  going = await install().run({
    prompt: "Add a command line that reads from standard input",
    attempts: [{ command }, { command }, { command }, { command }],
  });
});

test.afterAll(() => gateway.close());

type Shown = {
  name: string;
  path: () => string;
  ready: string | RegExp;
  /** What is done before it is looked at. */
  before?: (page: Page) => Promise<void>;
};

const PAGES: Shown[] = [
  { name: "runs", path: () => "/", ready: "Add a command line" },
  { name: "runs-none", path: () => "/?text=no-such-run", ready: "Nothing matches the filter" },
  { name: "new-run", path: () => "/new", ready: /Repository/ },
  {
    name: "new-run-wrong",
    path: () => "/new",
    ready: /Repository/,
    before: async (page) => {
      await page.getByRole("button", { name: /^Start/ }).click();
      await expect(page.getByText("Say what the agents are to do.")).toBeVisible();
    },
  },
  { name: "compare-live", path: () => `/runs/${going}?view=output`, ready: "waits for you" },
  { name: "compare-diff", path: () => `/runs/${done}?view=diff`, ready: "count.js" },
  { name: "compare-checks", path: () => `/runs/${done}?view=checks`, ready: "node --test" },
  { name: "compare-ab", path: () => `/runs/${done}?view=ab`, ready: "count.js" },
  { name: "compare-focus", path: () => `/runs/${done}?view=diff&layout=focus`, ready: "count.js" },
  { name: "compare-blind", path: () => `/runs/${done}?view=diff&blind=1`, ready: "count.js" },
  {
    name: "compare-synthesize",
    path: () => `/runs/${done}?view=diff&synthesize=1`,
    ready: "count.js",
    before: async (page) => {
      await page
        .getByRole("button", { name: /into the synthesis$/ })
        .first()
        .click();
      await expect(page.getByText("fits together")).toBeVisible();
    },
  },
  {
    name: "compare-pick",
    path: () => `/runs/${done}?view=diff`,
    ready: "count.js",
    before: async (page) => {
      await page.keyboard.press("2");
      await expect(page.getByRole("dialog", { name: "Pick B" })).toBeVisible();
    },
  },
  {
    name: "palette",
    path: () => `/runs/${done}?view=diff`,
    ready: "count.js",
    before: async (page) => {
      await page.keyboard.press("Control+k");
      await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible();
    },
  },
  {
    name: "keys",
    path: () => `/runs/${done}?view=diff`,
    ready: "count.js",
    before: async (page) => {
      await page.keyboard.press("?");
      await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
    },
  },
  { name: "compare-ten", path: () => `/runs/${ten}?view=diff`, ready: /-on\.md/ },
  {
    name: "compare-task",
    path: () => `/runs/${ten}?view=diff`,
    ready: /-on\.md/,
    before: async (page) => {
      await page.keyboard.press("t");
      await expect(page.getByRole("dialog", { name: "The task" })).toContainText("and more");
    },
  },
  { name: "compare-ten-files", path: () => `/runs/${ten}?view=files`, ready: /changed exactly the same/ },
  { name: "no-such-run", path: () => "/runs/zzzzzzzz", ready: /zzzzzzzz/ },
  { name: "compare-files", path: () => `/runs/${done}?view=files`, ready: "count.js" },
  { name: "run-timeline", path: () => `/runs/${done}/timeline`, ready: /^run\./ },
  { name: "timeline", path: () => "/timeline", ready: /^(attempt|gateway|user)\./ },
  { name: "timeline-event", path: () => `/timeline?seq=${asked}`, ready: "base_ref" },
  { name: "replay", path: () => `/runs/${done}/timeline?as_of=${asked + 30}`, ready: "REPLAY" },
  { name: "fleet", path: () => "/fleet", ready: "alive" },
  { name: "gateways", path: () => "/gateways", ready: "2026.9.6" },
  { name: "gateways-none", path: () => "/gateways?as_of=1", ready: "No gateway yet" },
  { name: "approvals", path: () => "/approvals?ask=main.q-2", ready: "git push --force origin main" },
  { name: "approvals-over", path: () => "/approvals?over=1", ready: "cli at the gateway" },
  { name: "approvals-none", path: () => "/approvals?as_of=1", ready: "Nobody asks anything" },
  { name: "chat", path: () => `/chat?gateway=main&session=${SESSION}`, ready: "Both are ours" },
  {
    name: "chat-tool",
    path: () => `/chat?gateway=main&session=${SESSION}`,
    ready: "Both are ours",
    before: async (page) => await page.getByRole("region", { name: "Tool exec" }).getByRole("button").click(),
  },
  { name: "chat-list", path: () => "/chat", ready: "I read notes.md" },
  { name: "chat-none", path: () => "/chat?as_of=1", ready: "No gateway yet" },
  {
    name: "chat-new",
    path: () => "/chat",
    ready: "I read notes.md",
    before: async (page) => {
      await page.getByRole("button", { name: "New", exact: true }).click();
      await expect(page.getByRole("dialog", { name: "New conversation" })).toContainText("Fixture Bot");
    },
  },
  { name: "sessions", path: () => "/sessions", ready: "parser of main" },
  { name: "sessions-past", path: () => "/sessions?as_of=1", ready: "Sessions are not recorded" },
  {
    name: "sessions-sheet",
    path: () => "/sessions?at=main&session=agent:main:cap-mwrgh2pi",
    ready: "Open the chat",
  },
  {
    name: "sessions-delete",
    path: () => "/sessions?at=main&session=agent:main:cap-mwrgh2pi",
    ready: "Open the chat",
    before: async (page) => await page.getByRole("button", { name: "Delete" }).click(),
  },
  { name: "agents", path: () => "/agents", ready: "Fixture Bot" },
  { name: "agents-file", path: () => "/agents?at=main&agent=fixture-bot&file=SOUL.md", ready: "SOUL.md" },
  { name: "usage", path: () => "/usage?by=agent", ready: "What the gateways say" },
  { name: "usage-none", path: () => "/usage?as_of=1", ready: "Nothing was used yet" },
  { name: "settings", path: () => "/settings", ready: "limits.attempts" },
  { name: "settings-tokens", path: () => "/settings?part=tokens", ready: "the admin's" },
  { name: "settings-doctor", path: () => "/settings?part=doctor", ready: "git" },
];

/** What keeps people from using a page, as axe finds it. */
async function barriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.flatMap(({ id, nodes }) =>
    nodes.map(({ html, any }) => `${id}: ${any[0]?.message ?? ""} in ${html.slice(0, 200)}`),
  );
}

for (const theme of ["dark", "light"] as const) {
  for (const size of SIZES) {
    test(`every page, ${theme}, ${size.name} px`, async ({ browser }) => {
      test.setTimeout(300_000);
      const context = await browser.newContext({ viewport: size, colorScheme: theme, reducedMotion: "reduce" });
      await install().signIn(context, "admin");
      const page = await context.newPage();
      for (const { name, path, ready, before } of PAGES) {
        await page.goto(install().url + path());
        await expect(page.getByText(ready).first()).toBeAttached();
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
        await before?.(page);
        await page.screenshot({ path: join(screens, `${name}-${theme}-${size.name}.png`) });
        expect.soft(await barriers(page), `${name}, ${theme}, ${size.name} px`).toEqual([]);
        if (size.width < 768) expect.soft(await cramped(page), `${name}, ${theme}, ${size.name} px`).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, `${name} is wider than the window`).toBeLessThanOrEqual(0);
      }
      await context.close();
      const stranger = await browser.newContext({ viewport: size, colorScheme: theme });
      const form = await stranger.newPage();
      await form.goto(`${install().url}/sign-in`);
      await expect(form.getByLabel("Token")).toBeVisible();
      expect.soft(await barriers(form), `sign-in, ${theme}, ${size.name} px`).toEqual([]);
      await form.screenshot({ path: join(screens, `sign-in-${theme}-${size.name}.png`) });
      await stranger.close();
    });
  }
}
