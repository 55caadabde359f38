// A gateway with what pages over gateways show: agents with files, sessions, models, and a conversation under way.
import { captured, FakeGateway } from "./gateway";
import type { Install } from "./install";

export const SESSION = "agent:main:main";

/** Opens it and connects the installation to it. */
export async function furnished(install: Install, name: string): Promise<FakeGateway> {
  const gateway = await FakeGateway.open();
  for (const method of ["agents.list", "agents.files.list", "agents.files.get", "models.list", "usage.cost"]) {
    await gateway.answers(method, captured(method));
  }
  const sessions = captured<{ sessions: Record<string, unknown>[] }>("sessions.list");
  const labels = [`parser of ${name}`, `a very long name that goes on ${"and on ".repeat(20)}`, undefined];
  sessions.sessions = sessions.sessions.map((row, at) => ({ ...row, label: labels[at], hasActiveRun: at === 1 }));
  await gateway.answers("sessions.list", sessions);
  await gateway.answers("chat.history", { sessionKey: SESSION, messages: [], hasMore: true });
  await gateway.answers("commands.list", { commands: [{ name: "status", textAliases: ["/status"] }] });
  const { status } = await install.api("POST", "/gateways", { name, url: gateway.url, token: "a token" });
  if (status !== 201) throw new Error(`${name} was not added: ${status}`);
  return gateway;
}

const about = (run: string) => ({ runId: run, sessionKey: SESSION, agentId: "main" });

/** A person asks. */
export async function asks(gateway: FakeGateway, run: string, text: string) {
  const message = { role: "user", content: text, idempotencyKey: `${run}:user` };
  await gateway.say("session.message", { ...about(run), message });
}

/** The agent says that much so far. */
export async function speaks(gateway: FakeGateway, run: string, text: string, delta = text) {
  const message = { role: "assistant", content: [{ type: "text", text }] };
  await gateway.say("chat", { ...about(run), state: "delta", deltaText: delta, message });
}

/** The agent ends. */
export async function ends(gateway: FakeGateway, run: string, text: string, state = "final") {
  const message = { role: "assistant", content: [{ type: "text", text }] };
  await gateway.say("chat", { ...about(run), state, message });
}

/** The agent used a tool; what is said of it as it is heard by others. */
export async function uses(gateway: FakeGateway, run: string, call: string, command: string, output: string) {
  const tool = (data: object) => ({ ...about(run), stream: "tool", data: { toolCallId: call, name: "exec", ...data } });
  const row = {
    role: "assistant",
    content: [{ type: "toolCall", id: call, name: "exec", arguments: { command } }],
    model: "stub-1",
    usage: { input: 1_200, output: 80, cost: { total: 0.0042 } },
    __openclaw: { runId: run },
  };
  await gateway.say("session.message", { ...about(run), message: row });
  await gateway.say("session.tool", tool({ phase: "start", args: { command } }));
  await gateway.say("session.tool", tool({ phase: "result", result: { content: [{ type: "text", text: output }] } }));
}
