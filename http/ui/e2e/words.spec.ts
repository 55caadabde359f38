// Agents that print JSON for programs: people read what they say, and what they printed when they want to.
import { say } from "./harness/agents";
import { expect, installed, test } from "./harness/test";

const install = installed();

const says = (message: object) => say(JSON.stringify({ type: "assistant", message }));

test("what an agent says in JSON is read as words while it says it, and as it was printed on demand", async ({
  page,
  context,
}) => {
  const steps = [
    says({ content: [{ type: "text", text: "I look at <b>count.js</b>\nfirst." }] }),
    says({ content: [{ type: "tool_use", id: "t", name: "Bash", input: { command: "node --test" } }] }),
    install().waitFor("looked"),
    say(JSON.stringify({ type: "result", is_error: false, result: "It counts now." })),
  ];
  install().program("claude", steps.join("\n"));
  await install().signIn(context, "operator");
  const { body } = await install().api<{ run: string }>("POST", "/runs", {
    prompt: "Two spaces count as one",
    repository: install().repository,
    strategy: "all",
    checks: [],
    attempts: [{ agent: "claude", sandbox: "local" }],
  });
  await page.goto(`${install().url}/runs/${body.run}?view=output`);
  const output = page.getByRole("region", { name: "Output of attempt A" });
  await expect(output.getByText("I look at <b>count.js</b>", { exact: true })).toBeVisible();
  await expect(output.getByText("▸ Bash: node --test", { exact: true })).toBeVisible();
  await expect(output.getByText('"type"', { exact: false })).toHaveCount(0);
  install().open("looked");
  await expect(output.getByText("■ says it is done", { exact: true })).toBeVisible();
  await expect(output.getByText("It counts now.", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Raw" }).click();
  await expect(page).toHaveURL(/raw=1/);
  await expect(output.getByText('"result":"It counts now."', { exact: false })).toBeVisible();
  await page.keyboard.press("r");
  await expect(output.getByText("It counts now.", { exact: true })).toBeVisible();
});
