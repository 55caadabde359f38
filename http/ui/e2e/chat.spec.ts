// Chat: streamed answers, tools, questions, stopping, asking again, putting in, and the past.
import type { FakeGateway } from "./harness/gateway";
import { asks, ends, furnished, SESSION, speaks, uses } from "./harness/house";
import { expect, installed, test } from "./harness/test";

const install = installed();
let gateway: FakeGateway;
const address = () => `${install().url}/chat?gateway=main&session=${encodeURIComponent(SESSION)}`;

test.beforeAll(async () => {
  gateway = await furnished(install(), "main");
});
test.afterAll(() => gateway.close());

test("before anything was said it says what will be shown", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await page.goto(`${install().url}/chat`);
  await expect(page.getByText("Nothing was said yet")).toBeVisible();
});

test("what is said streams, tools stand where they were used, and the end is said", async ({ page, context }) => {
  await install().signIn(context, "viewer");
  await asks(gateway, "r-1", "What is in the folder?");
  await page.goto(`${install().url}/chat`);
  await page.getByRole("button", { name: /What is in the folder/ }).click();
  const log = page.getByRole("log");
  await expect(log.getByText("What is in the folder?")).toBeVisible();
  await expect(page.getByTitle("what is said comes as it is said")).toBeVisible();
  await speaks(gateway, "r-1", "I look");
  await expect(log.getByText("I look")).toBeVisible();
  await uses(gateway, "r-1", "t-1", "ls -a", "notes.md");
  const tool = log.getByRole("region", { name: "Tool exec" });
  await tool.getByRole("button").click();
  await expect(tool.getByTitle("what it was given")).toHaveText("command: ls -a");
  await expect(tool.getByTitle("what it gave")).toHaveText("notes.md");
  await ends(gateway, "r-1", "There is notes.md.");
  await expect(log.getByText("There is notes.md.")).toBeVisible();
  await expect(log.getByText("done").last()).toBeVisible();
  await expect(page.getByText("Operators may talk to it.")).toBeVisible();
});

test("an operator's words survive a reload, are sent once, and the agent is stopped", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await gateway.answers("chat.send", { runId: "x", status: "started" });
  await gateway.answers("chat.abort", { ok: true, aborted: true, runIds: [] });
  await page.goto(address());
  const field = page.getByLabel("Message to the agent");
  await field.fill("count to a thousand");
  await page.reload();
  await expect(field).toHaveValue("count to a thousand");
  await field.press("Enter");
  await expect(page.getByText("Sent, not heard of yet", { exact: false })).toBeVisible();
  await expect(field).toHaveValue("");
  const [sent] = await gateway.calls("chat.send");
  expect(sent).toMatchObject({ sessionKey: SESSION, message: "count to a thousand" });
  const run = String(sent?.idempotencyKey);
  await asks(gateway, run, "count to a thousand");
  await speaks(gateway, run, "1 2 3");
  await expect(page.getByText("Sent, not heard of yet", { exact: false })).toHaveCount(0);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect.poll(async () => (await gateway.calls("chat.abort")).length).toBe(1);
  await ends(gateway, run, "1 2 3", "aborted");
  await expect(page.getByRole("log").getByText("stopped")).toBeVisible();
  await expect(page.getByRole("button", { name: "Stop", exact: true })).toHaveCount(0);
});

test("commands to the gateway and text in the agent's mouth are for admins", async ({ page, context, somebody }) => {
  await install().signIn(context, "operator");
  await page.goto(address());
  await page.getByLabel("Message to the agent").fill("/status");
  await expect(page.getByText("Commands to the gateway are for admins", { exact: false })).toBeVisible();
  await expect(page.getByRole("button", { name: "Send" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Put text in" })).toHaveCount(0);
  const admin = await somebody(install(), "admin");
  await gateway.answers("chat.inject", { ok: true, messageId: "m-1" });
  await admin.goto(address());
  await admin.getByLabel("Message to the agent").fill("/st");
  await expect(admin.getByRole("list", { name: "Commands" }).getByText("/status")).toBeVisible();
  await admin.getByLabel("Message to the agent").fill("");
  await admin.getByRole("button", { name: "Put text in" }).click();
  await admin.getByLabel("Text in the agent's mouth").fill("I was told to wait.");
  await admin.getByRole("button", { name: "Put it in" }).click();
  await expect
    .poll(async () => await gateway.calls("chat.inject"))
    .toEqual([{ sessionKey: SESSION, message: "I was told to wait." }]);
});

test("an admin asks again in other words, and goes back before the first ones", async ({ page, context }) => {
  await install().signIn(context, "admin");
  const message = {
    role: "user",
    content: "What is in the folder?",
    idempotencyKey: "r-1:user",
    __openclaw: { id: "e-1" },
  };
  await gateway.answers("chat.history", { sessionKey: SESSION, messages: [message], hasMore: true });
  await gateway.answers("sessions.rewind", {});
  await page.goto(address());
  const turn = page.getByRole("article", { name: "Turn r-1" });
  await turn.getByRole("button", { name: "Edit and ask again" }).click();
  await expect(page.getByLabel("Message to the agent")).toHaveValue("What is in the folder?");
  await expect(page.getByText("The agent forgets", { exact: false })).toBeVisible();
  await page.getByLabel("Message to the agent").fill("What is in src?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect
    .poll(async () => await gateway.calls("sessions.rewind"))
    .toEqual([{ sessionKey: SESSION, entryId: "e-1" }]);
  await expect.poll(async () => (await gateway.calls("chat.send")).at(-1)?.message).toBe("What is in src?");
});

test("earlier turns are read out of the transcript, and what is seen stays where it is", async ({ page, context }) => {
  await install().signIn(context, "operator");
  const row = (n: number) => ({
    role: "user",
    content: `question ${n} ${"and more of it ".repeat(40)}`,
    idempotencyKey: `old-${n}:user`,
    __openclaw: { id: `e-${n}`, recordTimestampMs: 1_700_000_000_000 + n },
  });
  const rows = Array.from({ length: 60 }, (_, n) => row(n));
  await gateway.answers("chat.history", { sessionKey: SESSION, messages: rows.slice(30), hasMore: true });
  await page.goto(address());
  const log = page.getByRole("log", { name: "What was said" });
  const first = page.getByRole("article", { name: "Turn old-30" });
  await expect(first).toBeAttached();
  // Until then it follows its end.
  await expect(async () => {
    await log.evaluate((element) => element.scrollTo(0, 0));
    await expect(page.getByRole("button", { name: "To the end" })).toBeVisible({ timeout: 1_000 });
  }).toPass();
  const top = (await first.boundingBox())?.y ?? 0;
  await gateway.answers("chat.history", { sessionKey: SESSION, messages: rows, hasMore: false });
  await page.getByRole("button", { name: "Show earlier turns" }).click();
  await expect(page.getByRole("article", { name: "Turn old-0", exact: true })).toBeAttached();
  await expect(page.getByRole("button", { name: "Show earlier turns" })).toHaveCount(0);
  expect((await gateway.calls("chat.history")).at(-1)).toMatchObject({ limit: 400 });
  // The button went, and nothing else moved.
  expect(Math.abs(((await first.boundingBox())?.y ?? 0) - top)).toBeLessThan(80);
});

test("an operator chooses the model of the next turn", async ({ page, context }) => {
  await install().signIn(context, "operator");
  const sessionInfo = { key: SESSION, modelProvider: "stub", model: "stub-1", thinkingOptions: ["off", "high"] };
  await gateway.answers("chat.history", { sessionKey: SESSION, messages: [], hasMore: true, sessionInfo });
  await gateway.answers("sessions.patch", { ok: true });
  await page.goto(address());
  const choice = page.getByLabel("Model, from the next turn on");
  await expect(choice).toHaveValue("stub/stub-1");
  await choice.selectOption("stub/stub-2");
  await expect
    .poll(async () => await gateway.calls("sessions.patch"))
    .toEqual([{ key: SESSION, model: "stub/stub-2" }]);
});

test("a question of the agent is answered where it was asked", async ({ page, context }) => {
  await install().signIn(context, "approver");
  await gateway.ask("q-1", "rm -rf build");
  await page.goto(address());
  const card = page.getByRole("article", { name: "Question main.q-1" });
  await card.getByRole("button", { name: "Deny" }).click();
  await expect(card).toHaveCount(0);
  expect(await gateway.asked("q-1")).toBe("denied");
});

test("the past is shown as it was, and nobody talks to it", async ({ page, context }) => {
  await install().signIn(context, "operator");
  const { body } = await install().api<{ rows: { seq: number; kind: string }[] }>(
    "GET",
    "/events?kind=gateway.frame&limit=3",
  );
  const early = body.rows.at(-1)?.seq ?? 0;
  await page.goto(`${address()}&as_of=${early}`);
  await expect(page.getByText("REPLAY")).toBeVisible();
  await expect(page.getByRole("log").getByText("There is notes.md.")).toHaveCount(0);
  await expect(page.getByLabel("Message to the agent")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("log").getByText("There is notes.md.")).toBeVisible();
});

test("a gateway that is away is said to be, and what was typed is kept", async ({ page, context }) => {
  await install().signIn(context, "operator");
  await page.goto(address());
  await page.getByLabel("Message to the agent").fill("are you there");
  gateway.close();
  await expect(page.getByText("main is not connected: this is what was heard", { exact: false })).toBeVisible();
  await expect(page.getByRole("button", { name: "Send" })).toBeDisabled();
  await expect(page.getByLabel("Message to the agent")).toHaveValue("are you there");
});
