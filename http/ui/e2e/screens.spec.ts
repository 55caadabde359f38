// A picture of each page, in both themes, on a desk and on a phone: written to target/screens at every run, to be
// looked at before a change lands.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { agent, replace, say, sayLines, write } from "./harness/agents";
import { screens } from "./harness/places";
import { expect, installed, test } from "./harness/test";

const install = installed({ REGATTA_LIMITS_ATTEMPTS: "3" });
const SIZES = [
  { name: "1440", width: 1440, height: 900 },
  { name: "390", width: 390, height: 844 },
];
let done = "";
let going = "";

test.beforeAll(async () => {
  mkdirSync(screens, { recursive: true });
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
  await install().cli("pick", done, "a");
  await install().finishedRun({ prompt: "Nothing to do here", attempts: [{ command: "true" }] });
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

const PAGES: { name: string; path: () => string; ready: string | RegExp }[] = [
  { name: "runs", path: () => "/", ready: "Add a command line" },
  { name: "new-run", path: () => "/new", ready: /Repository/ },
  { name: "compare-live", path: () => `/runs/${going}?view=output`, ready: "waits for you" },
  { name: "compare-diff", path: () => `/runs/${done}?view=diff`, ready: "count.js" },
  { name: "compare-checks", path: () => `/runs/${done}?view=checks`, ready: "node --test" },
  { name: "compare-files", path: () => `/runs/${done}?view=files`, ready: "count.js" },
  { name: "run-timeline", path: () => `/runs/${done}/timeline`, ready: /^run\./ },
  { name: "timeline", path: () => "/timeline", ready: /^attempt\./ },
  { name: "timeline-event", path: () => "/timeline?seq=2", ready: "base_ref" },
  { name: "replay", path: () => `/runs/${done}/timeline?as_of=20`, ready: "REPLAY" },
  { name: "fleet", path: () => "/fleet", ready: "alive" },
  { name: "settings", path: () => "/settings", ready: "limits.attempts" },
  { name: "settings-tokens", path: () => "/settings?part=tokens", ready: "the admin's" },
  { name: "settings-doctor", path: () => "/settings?part=doctor", ready: "git" },
];

for (const theme of ["dark", "light"] as const) {
  for (const size of SIZES) {
    test(`pictures of every page, ${theme}, ${size.name} px`, async ({ browser }) => {
      const context = await browser.newContext({ viewport: size, colorScheme: theme, reducedMotion: "reduce" });
      await install().signIn(context, "admin");
      const page = await context.newPage();
      for (const { name, path, ready } of PAGES) {
        await page.goto(install().url + path());
        await expect(page.getByText(ready).first()).toBeAttached();
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
        await page.screenshot({ path: join(screens, `${name}-${theme}-${size.name}.png`) });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, `${name} is wider than the window`).toBeLessThanOrEqual(0);
      }
      await context.close();
      const stranger = await browser.newContext({ viewport: size, colorScheme: theme });
      const form = await stranger.newPage();
      await form.goto(`${install().url}/sign-in`);
      await expect(form.getByLabel("Token")).toBeVisible();
      await form.screenshot({ path: join(screens, `sign-in-${theme}-${size.name}.png`) });
      await stranger.close();
    });
  }
}
