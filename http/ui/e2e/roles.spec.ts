// What each role is offered: everything the server lets it do, and nothing that it refuses.
import type { Page } from "@playwright/test";
import { agent, replace, say } from "./harness/agents";
import type { FakeGateway } from "./harness/gateway";
import { furnished, SESSION } from "./harness/house";
import type { Role } from "./harness/install";
import { expect, installed, test } from "./harness/test";

const install = installed();
let run = "";
let gateway: FakeGateway;

test.beforeAll(async () => {
  gateway = await furnished(install(), "main");
  await gateway.ask("q-1", "git push --force origin main");
  const fix = replace("src/count.js", 'text.split(" ").length', "text.split(/ +/).length");
  run = await install().finishedRun({ attempts: [{ command: agent(say("one"), fix) }, { command: fix }] });
});

test.afterAll(() => gateway.close());

/** Every place that offers something, with what shows that it is there. */
const PLACES: [path: () => string, ready: string | RegExp][] = [
  [() => "/", "Two spaces count as one"],
  [() => `/runs/${run}?view=diff`, "count.js"],
  [() => `/runs/${run}?view=diff&synthesize=1`, "count.js"],
  [() => `/runs/${run}/timeline`, /^run\./],
  [() => "/new", /Repository|Operators start runs/],
  [() => "/approvals?ask=main.q-1", "git push --force origin main"],
  [() => `/chat?gateway=main&session=${SESSION}`, /Enter sends|Operators may talk to it/],
  [() => "/sessions?at=main&session=agent:main:cap-mwrgh2pi", "Open the chat"],
  [() => "/agents?at=main&agent=fixture-bot&file=SOUL.md", "SOUL.md"],
  [() => "/fleet", "Server"],
  [() => "/usage", "What the gateways say"],
  [() => "/gateways", "2026.9.6"],
  [() => "/settings", "limits.attempts"],
  [() => "/settings?part=tokens", /the (viewer|operator|approver|admin)'s|Tokens are kept by admins/],
  [() => "/settings?part=users", "looks at everything"],
  [() => "/settings?part=secrets", /gateway\.main\.token|Secrets are kept by admins/],
  [() => "/settings?part=doctor", /Look again|Operators ask the doctor/],
];

/** Opens it, and waits until it is there and whoever looks is known. */
async function open(page: Page, path: string, ready: string | RegExp, role: Role) {
  await page.goto(install().url + path);
  await expect(page.getByText(`${role} · ${role}`).first()).toBeVisible();
  await expect(page.getByText(ready).first()).toBeAttached();
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
}

/** The least role that is offered it, by what it is called. */
const OFFERED: [least: Role, place: number, what: (page: Page) => ReturnType<Page["getByRole"]>][] = [
  ["operator", 0, (page) => page.getByRole("link", { name: "New run" })],
  ["operator", 1, (page) => page.getByRole("button", { name: "Synthesize" })],
  ["operator", 1, (page) => page.getByRole("button", { name: /into the synthesis$/ })],
  ["operator", 1, (page) => page.getByRole("button", { name: /^Discard attempt/ })],
  ["approver", 1, (page) => page.getByRole("button", { name: "Pick", exact: true })],
  ["operator", 2, (page) => page.getByRole("region", { name: "Synthesis" })],
  ["operator", 4, (page) => page.getByRole("button", { name: /^Start/ })],
  ["approver", 5, (page) => page.getByRole("button", { name: /^Allow once/ })],
  ["approver", 5, (page) => page.getByRole("button", { name: /^Deny/ })],
  ["admin", 5, (page) => page.getByRole("button", { name: "Add a rule" })],
  ["admin", 5, (page) => page.getByRole("button", { name: "Make a rule" })],
  ["operator", 6, (page) => page.getByRole("button", { name: "Send" })],
  ["admin", 6, (page) => page.getByRole("button", { name: "Put text in…" })],
  ["operator", 7, (page) => page.getByRole("form", { name: "Change the session" })],
  ["admin", 7, (page) => page.getByRole("button", { name: "Delete" })],
  ["admin", 8, (page) => page.getByRole("button", { name: "Save" })],
  ["operator", 9, (page) => page.getByRole("button", { name: "Look for what was left behind" })],
  ["operator", 11, (page) => page.getByRole("button", { name: "Test the connection" })],
  ["admin", 11, (page) => page.getByRole("button", { name: "Remove main" })],
  ["admin", 11, (page) => page.getByRole("button", { name: "Add a gateway" })],
  ["admin", 12, (page) => page.getByRole("button", { name: /^Change limits/ })],
  ["admin", 12, (page) => page.getByRole("tab", { name: "Tokens" })],
  ["admin", 12, (page) => page.getByRole("tab", { name: "Secrets" })],
  ["operator", 12, (page) => page.getByRole("tab", { name: "Doctor" })],
  ["viewer", 12, (page) => page.getByRole("tab", { name: "Users" })],
  ["admin", 13, (page) => page.getByRole("button", { name: "New token" })],
  ["admin", 14, (page) => page.getByRole("button", { name: "Add", exact: true })],
  ["admin", 15, (page) => page.getByRole("button", { name: "Remove gateway.main.token" })],
  ["operator", 16, (page) => page.getByRole("button", { name: "Look again" })],
];

const ROLES: Role[] = ["viewer", "operator", "approver", "admin"];

for (const role of ROLES) {
  test(`the ${role} is offered what the server allows, and no page asks for more`, async ({ page, context }) => {
    const refused: string[] = [];
    page.on("response", (answer) => {
      if (answer.status() === 403) refused.push(`${answer.request().method()} ${answer.url()}`);
    });
    await install().signIn(context, role);
    for (const [place, [path, ready]] of PLACES.entries()) {
      await open(page, path(), ready, role);
      for (const [least, , what] of OFFERED.filter(([, at]) => at === place)) {
        const found = what(page);
        const offers = ROLES.indexOf(role) >= ROLES.indexOf(least);
        if (offers) await expect(found.first(), `${path()} offers ${found}`).toBeVisible();
        else await expect(found, `${path()} does not offer ${found}`).toHaveCount(0);
      }
    }
    expect(refused).toEqual([]);
  });
}

test("neither a key nor the palette offers a viewer what is refused", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await open(page, `/runs/${run}?view=diff`, "count.js", "viewer");
  await page.keyboard.press("n");
  await page.keyboard.press("s");
  await expect(page).toHaveURL(new RegExp(`/runs/${run}\\?view=diff`));
  await expect(page.getByRole("region", { name: "Synthesis" })).toHaveCount(0);
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await expect(palette.getByRole("option", { name: "Settings: users" })).toBeVisible();
  await expect(
    palette.getByRole("option", { name: /New run|Synthesize|Settings: (tokens|secrets|doctor)/ }),
  ).toHaveCount(0);
});

test("nothing is offered while the past is looked at, and what is of now says so", async ({ page, context }) => {
  await install().signIn(context, "admin");
  for (const [place, [path]] of PLACES.entries()) {
    const address = `${path()}${path().includes("?") ? "&" : "?"}as_of=20`;
    await page.goto(install().url + address);
    await expect(page.getByText("REPLAY")).toBeVisible();
    await expect(page.getByText("admin · admin").first()).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    for (const [least, , what] of OFFERED.filter(([, at]) => at === place)) {
      if (/Tokens|Secrets|Doctor|Users|Look again/.test(String(what(page)))) continue;
      await expect(what(page), `${address} does not offer ${what(page)} to ${least}`).toHaveCount(0);
    }
  }
  await page.goto(`${install().url}/settings?as_of=20`);
  await expect(page.getByRole("note")).toContainText("as they are now");
  await page.goto(`${install().url}/fleet?as_of=20`);
  await expect(page.getByRole("note")).toContainText("as they are now");
  await expect(page.getByRole("region", { name: "Server" })).toHaveCount(0);
  await page.goto(`${install().url}/new?as_of=20`);
  await expect(page.getByText("No run begins in the past")).toBeVisible();
  await page.getByRole("main").getByRole("button", { name: "Back to now" }).click();
  await expect(page.getByLabel("Task")).toBeVisible();
});
