// One installation under test: the real binary on a data directory, a repository and an address of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { BrowserContext } from "@playwright/test";
import { quoted } from "./agents";
import { binary, target } from "./places";
import { makeRepository } from "./repository";

/** How long a server may take to start or to end on a busy machine. */
const PATIENCE_MS = 30_000;

export type Role = "viewer" | "operator" | "approver" | "admin";

/** One attempt of a run that is asked for. */
export interface Wanted {
  command: string;
  model?: string;
  /** Where it runs; `local` when not said. */
  sandbox?: string;
}

/** A run that is asked for. */
export interface RunWanted {
  prompt?: string;
  attempts: Wanted[];
  strategy?: "race" | "best" | "all";
  checks?: { name: string; command: string }[];
}

/** What the API answered. */
export interface Answer<T> {
  status: number;
  body: T;
}

export class Install {
  readonly folder = mkdtempSync(join(tmpdir(), "regatta-e2e-"));
  readonly data = join(this.folder, "data");
  readonly repository = join(this.folder, "words");
  /** Files whose appearance lets an agent go on, and programs; every sandbox may see them. */
  private readonly gates = join(this.folder, "gates");
  readonly log: string;
  private readonly tokens = new Map<string, string>();
  private server: ChildProcess | undefined;
  private port = 0;
  constructor(
    readonly name: string,
    private readonly extra: NodeJS.ProcessEnv = {},
  ) {
    mkdirSync(this.gates);
    mkdirSync(join(this.folder, "home"));
    mkdirSync(join(target, "e2e-logs"), { recursive: true });
    this.log = join(target, "e2e-logs", `${name}.log`);
    rmSync(this.log, { force: true });
    makeRepository(this.repository);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  private get environment(): NodeJS.ProcessEnv {
    return {
      PATH: `${this.gates}:${process.env.PATH}`,
      HOME: join(this.folder, "home"),
      REGATTA_USER: "ana",
      REGATTA_DATA_DIR: this.data,
      REGATTA_LIMITS_ATTEMPTS: "8",
      REGATTA_SANDBOX_READ: this.gates,
      ...this.extra,
    };
  }

  /** Starts the server; again on the same address once it has one. */
  async start() {
    this.port ||= await freePort();
    const args = ["up", "--listen", `127.0.0.1:${this.port}`];
    const server = spawn(binary, args, {
      env: this.environment,
      cwd: this.repository,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.server = server;
    const log = createWriteStream(this.log, { flags: "a" });
    server.stdout.pipe(log, { end: false });
    server.stderr.pipe(log, { end: false });
    await within("the server to start", (done, failed) => {
      const look = (line: string) => {
        if (line.includes("ready at")) done();
      };
      createInterface(server.stdout).on("line", look);
      createInterface(server.stderr).on("line", look);
      server.once("exit", (code) => failed(new Error(`the server ended with ${code}, see ${this.log}`)));
    });
  }

  /** Ends the server: well, or as a crash does. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM") {
    const server = this.server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    await within("the server to end", (done) => {
      server.once("exit", () => done());
      server.kill(signal);
    });
  }

  /** Asks the API over the owner's socket. */
  async api<T = unknown>(method: "GET" | "POST" | "DELETE" | "PUT", path: string, body?: unknown): Promise<Answer<T>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return await new Promise((done, failed) => {
      const headers = { host: "localhost", "content-type": "application/json", "regatta-actor": "ana" };
      const asked = request(
        { socketPath: join(this.data, "regatta.sock"), method, path: `/api/v1${path}`, headers },
        (answer) => {
          const pieces: Buffer[] = [];
          answer.on("data", (piece: Buffer) => pieces.push(piece));
          answer.on("end", () => {
            const content = Buffer.concat(pieces).toString("utf8");
            const isJson = /json/.test(answer.headers["content-type"] ?? "");
            done({ status: answer.statusCode ?? 0, body: (isJson ? JSON.parse(content) : content) as T });
          });
        },
      );
      asked.on("error", failed);
      asked.end(text);
    });
  }

  /** Asks for a run; its id. */
  async run(wanted: RunWanted): Promise<string> {
    const { status, body } = await this.api<{ run: string }>("POST", "/runs", {
      prompt: wanted.prompt ?? "Two spaces count as one",
      repository: this.repository,
      strategy: wanted.strategy ?? "all",
      checks: wanted.checks ?? [],
      attempts: wanted.attempts.map(({ command, model, sandbox }) => ({
        agent: "command",
        command,
        model,
        sandbox: sandbox ?? "local",
      })),
    });
    if (status !== 201) throw new Error(`no run: ${status} ${JSON.stringify(body)}`);
    return body.run;
  }

  /** Asks for a run and waits for its end; its id. */
  async finishedRun(wanted: RunWanted): Promise<string> {
    const run = await this.run(wanted);
    await this.cli("watch", run);
    return run;
  }

  /** What the command line prints. A code that is not 0 is an answer too: a run may end without a winner. */
  async cli(...args: string[]): Promise<string> {
    return await new Promise((done) => {
      execFile(binary, args, { env: this.environment, cwd: this.repository }, (_, stdout) => done(stdout));
    });
  }

  /** A link that signs a browser in, once: what `regatta open` prints where there is no screen. */
  async signInLink(): Promise<string> {
    return (await this.cli("open")).trim();
  }

  /** Puts a program on the path of the server and of every sandbox, in place of one of that name. */
  program(name: string, script: string) {
    writeFileSync(join(this.gates, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** A step of an agent that ends once `open` was called with the same name. */
  waitFor(gate: string): string {
    return `until [ -e ${quoted(join(this.gates, gate))} ]; do sleep 0.02; done`;
  }

  /** Lets the agents go on that wait for this. */
  open(gate: string) {
    writeFileSync(join(this.gates, gate), "");
  }

  /** A token of somebody with that role, made once. */
  async token(role: Role, name: string = role): Promise<string> {
    const known = this.tokens.get(name);
    if (known) return known;
    await this.api("POST", "/users", { name, role });
    const wanted = { name: `the ${name}'s`, user: name, role };
    const { status, body } = await this.api<{ token: string }>("POST", "/tokens", wanted);
    if (status !== 201) throw new Error(`no token: ${status} ${JSON.stringify(body)}`);
    this.tokens.set(name, body.token);
    return body.token;
  }

  /** Signs a browser in, as the form does. */
  async signIn(context: BrowserContext, role: Role, name: string = role) {
    const token = await this.token(role, name);
    const answer = await context.request.post(`${this.url}/api/v1/session`, {
      data: { token },
      headers: { origin: this.url },
    });
    if (!answer.ok()) throw new Error(`not signed in: ${answer.status()} ${await answer.text()}`);
  }

  /** Ends everything and leaves nothing behind but the server's log. */
  async remove() {
    if (existsSync(join(this.data, "regatta.sock"))) {
      const { body } = await this.api<{ rows?: { id: string; finished_at_us: number | null }[] }>(
        "GET",
        "/runs?limit=100",
      ).catch(() => ({ body: { rows: [] } }));
      const going = (body.rows ?? []).filter((row) => row.finished_at_us === null);
      for (const { id } of going) await this.api("POST", `/runs/${id}/cancel`, {});
      for (const { id } of going) await this.cli("watch", id);
    }
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise<unknown>((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function within(what: string, begin: (done: () => void, failed: (error: Error) => void) => void) {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((done, failed) => {
    timer = setTimeout(() => failed(new Error(`waited ${PATIENCE_MS} ms for ${what}`)), PATIENCE_MS);
    begin(done, failed);
  }).finally(() => clearTimeout(timer));
}
