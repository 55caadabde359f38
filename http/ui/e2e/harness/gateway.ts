// A fake gateway as a process of its own: it answers as an OpenClaw gateway does, and does what a test says besides.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { root, target } from "./places";

const program = process.env.REGATTA_GATEWAY_FAKE ?? resolve(target, "debug/regatta-gateway-fake");

export class FakeGateway {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess & { stdin: Writable },
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async open(): Promise<FakeGateway> {
    const child = spawn(program, [], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const { url } = await next(lines);
    return new FakeGateway(String(url), child, lines);
  }

  /** Tells it something, and waits until it is done. */
  private async tell(order: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.process.stdin.write(`${JSON.stringify(order)}\n`);
    const answer = await next(this.lines);
    if (answer.error) throw new Error(String(answer.error));
    return answer;
  }

  /** An agent asks whether it may run a command. */
  ask(id: string, command: string, decisions = ["allow-once", "deny"]) {
    return this.tell({ do: "ask", id, command, decisions });
  }

  /** The agent of an attempt asks. */
  askOf(attempt: string, id: string, command: string) {
    return this.tell({ do: "ask-of", attempt, id, command });
  }

  /** A plugin asks whether it may do something. */
  askAsPlugin(id: string, title: string) {
    return this.tell({ do: "ask-as-plugin", id, title });
  }

  /** What became of a question there. */
  async asked(id: string): Promise<string> {
    return String((await this.tell({ do: "asked", id })).status);
  }

  /** Somebody answers there. */
  answer(id: string, decision: string, by: string) {
    return this.tell({ do: "answer", id, decision, by });
  }

  /** Nobody comes in before this request is approved. */
  wantsPairing(request: string) {
    return this.tell({ do: "wants-pairing", request });
  }

  approve() {
    return this.tell({ do: "approve" });
  }

  say(event: string, payload: unknown) {
    return this.tell({ do: "say", event, payload });
  }

  /** What a method answers from now on. */
  answers(method: string, payload: unknown) {
    return this.tell({ do: "answers", method, payload });
  }

  /** What a method is refused with from now on. */
  denies(method: string, message: string, details: unknown = {}) {
    return this.tell({ do: "denies", method, error: { code: "INVALID_REQUEST", message, details } });
  }

  /** The parameters of every call of a method so far. */
  async calls(method: string): Promise<Record<string, unknown>[]> {
    return (await this.tell({ do: "calls", method })).calls as Record<string, unknown>[];
  }

  skip(count: number) {
    return this.tell({ do: "skip", count });
  }

  restart() {
    return this.tell({ do: "restart" });
  }

  close() {
    this.process.kill();
  }
}

/** What a real gateway answered once; several of one method have a word behind it. */
export function captured<T = Record<string, unknown>>(name: string): T {
  const text = readFileSync(resolve(root, "http/ui/src/gateways/fixtures/answers.json"), "utf8");
  return (JSON.parse(text) as Record<string, T>)[name] as T;
}

/** What it prints next. */
async function next(lines: AsyncIterator<string>): Promise<Record<string, unknown>> {
  const { value, done } = await lines.next();
  if (done) throw new Error("the fake gateway ended");
  return JSON.parse(value);
}
