// One turn of an OpenClaw agent behind a gateway of its own: starts `openclaw gateway` on a free port of loopback with a
// fresh state folder, has a session work in this folder, prints what it says a line each, and ends the gateway. Needs what
// OpenClaw needs itself, Node 24. The session's own key and the message's key are those Regatta would use elsewhere.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

// A first start takes 10 to 30 s on two cores, and longer beside others.
const START_MS_MAX = 300_000;
const AGAIN_MS = 250;
// Somebody else may take the port between finding and using it.
const PORTS_MAX = 3;
const SCOPES = ["operator.read", "operator.write", "operator.admin"];
const { REGATTA_RUN: run, REGATTA_ATTEMPT: slot, REGATTA_OPENCLAW_AGENT: agent } = process.env;

const later = (ms) => new Promise((done) => setTimeout(done, ms));
const fail = (text) => {
  console.error(`openclaw: ${text}`);
  end(1);
};
let gateway;
function end(code) {
  // Its folder and its sessions end with the sandbox; a polite stop may take minutes.
  gateway?.kill("SIGKILL");
  process.exit(code);
}

if (typeof WebSocket === "undefined") fail(`OpenClaw needs Node 24, this is ${process.version}`);
const state = mkdtempSync(join(tmpdir(), "openclaw-"));
const token = randomBytes(24).toString("hex");
const own = configured();

// What the person gave for attempts: models and their providers, as in openclaw.json. Never that file itself, which holds
// the token of the gateway they use.
function configured() {
  const file = join(homedir(), ".openclaw", "regatta.json");
  const text = process.env.REGATTA_OPENCLAW_CONFIG ?? (existsSync(file) ? readFileSync(file, "utf8") : "{}");
  try {
    return JSON.parse(text);
  } catch (error) {
    fail(`REGATTA_OPENCLAW_CONFIG, or else ~/.openclaw/regatta.json, is no JSON: ${error.message}`);
  }
}

function configure(port) {
  const { channels, ...rest } = own;
  const defaults = { ...own.agents?.defaults, workspace: join(state, "workspace"), heartbeat: { every: "0m" } };
  const config = {
    ...rest,
    gateway: {
      mode: "local",
      port,
      bind: "loopback",
      auth: { mode: "token", token },
      controlUi: { enabled: false },
    },
    agents: { ...own.agents, defaults },
    logging: { ...own.logging, file: join(state, "openclaw.log") },
    // The sandbox is the fence, so its own questions are off.
    tools: { ...own.tools, exec: { ...own.tools?.exec, host: "gateway", mode: "full" } },
  };
  writeFileSync(join(state, "openclaw.json"), JSON.stringify(config), { mode: 0o600 });
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function start(port) {
  configure(port);
  const log = openSync(join(state, "started.log"), "w");
  const env = { ...process.env, OPENCLAW_STATE_DIR: state, OPENCLAW_CONFIG_PATH: join(state, "openclaw.json") };
  for (const name of ["DISABLE_BONJOUR", "NO_RESPAWN", "SKIP_CHANNELS", "NO_AUTO_UPDATE"]) env[`OPENCLAW_${name}`] = "1";
  env.OPENCLAW_EXEC_SHELL_SNAPSHOT = "0";
  gateway = spawn("openclaw", ["gateway", "run", "--port", String(port)], { env, stdio: ["ignore", log, log] });
  gateway.on("error", (error) => {
    if (error.code === "ENOENT") fail("`openclaw` is not on PATH here; install it: npm install -g openclaw");
    fail(error.message);
  });
}

const lastWords = () => readFileSync(join(state, "started.log"), "utf8").trim().split("\n").slice(-12).join("\n");

// Asks until it lets us in: it refuses connections, then says that it is starting.
async function connected() {
  const until = Date.now() + START_MS_MAX;
  for (let ports = 1; ; ports++) {
    const port = await freePort();
    start(port);
    while (gateway.exitCode === null && gateway.signalCode === null) {
      const socket = await greeted(`ws://127.0.0.1:${port}`);
      if (socket) return socket;
      if (Date.now() > until) fail(`its gateway is not usable after ${START_MS_MAX / 1_000} s:\n${lastWords()}`);
      await later(AGAIN_MS);
    }
    const said = lastWords();
    if (ports >= PORTS_MAX || !/EADDRINUSE|already in use|already listening/.test(said)) fail(`its gateway ended:\n${said}`);
  }
}

const calls = new Map();
let hello;
function call(socket, method, params) {
  const id = String(calls.size + 1);
  socket.send(JSON.stringify({ type: "req", id, method, params }));
  return new Promise((done, failed) => calls.set(id, { done, failed }));
}

function greeted(url) {
  return new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onerror = socket.onclose = () => done(undefined);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.event === "connect.challenge") {
        const client = { id: "gateway-client", version: "1", platform: "linux", mode: "backend" };
        const params = { minProtocol: 4, maxProtocol: 4, client, role: "operator", scopes: SCOPES, caps: ["tool-events"] };
        socket.send(JSON.stringify({ type: "req", id: "connect", method: "connect", params: { ...params, auth: { token } } }));
      } else if (frame.id === "connect" && frame.ok) {
        hello = frame.payload;
        done(socket);
      } else if (frame.id === "connect") {
        // 1013 while it starts; anything else would be our own mistake, and is told when the time is over.
        socket.close();
      }
    };
  });
}

const pick = (from, names) => Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]]));
const RUN = ["runId", "seq", "stream", "state", "data"];
const END = ["deltaText", "replace", "stopReason", "usage", "errorMessage", "errorKind"];
const STREAMS = ["tool", "lifecycle", "error", "compaction", "approval"];

// What of an event is printed: no repeated rows, no cumulative text, nothing said twice.
function told({ event, payload }) {
  if (event === "session.message" && payload.message?.role === "assistant") return { event, message: payload.message };
  if (event === "chat" && payload.state === "delta") return { event, ...pick(payload, [...RUN, ...END]) };
  if (event === "chat" && payload.state !== "status") return { event, ...pick(payload, [...RUN, ...END, "message"]) };
  const tells = STREAMS.includes(payload.stream) && payload.data?.phase !== "update" && payload.data?.phase !== "model";
  return (event === "agent" || event === "session.tool") && tells ? { event, ...pick(payload, RUN) } : undefined;
}

const socket = await connected();
const id = agent || hello.snapshot?.sessionDefaults?.defaultAgentId || "main";
const session = `agent:${id}:regatta-${run}-${slot}`;
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
print({ event: "regatta.session", session, version: hello.server?.version });
socket.onclose = () => fail(`its gateway is gone:\n${lastWords()}`);
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.type === "res") {
    const { done, failed } = calls.get(frame.id) ?? {};
    if (frame.ok) done?.(frame.payload);
    else failed?.(new Error(frame.error?.message));
  } else if (frame.payload?.sessionKey === session) {
    const line = told(frame);
    if (line) print(line);
    const { state: ended, errorMessage } = frame.event === "chat" ? frame.payload : {};
    if (ended === "error" && errorMessage) console.error(`openclaw: ${errorMessage}`);
    if (["final", "aborted", "error"].includes(ended)) process.stdout.write("", () => end(ended === "final" ? 0 : 1));
  }
};
process.on("SIGTERM", () => {
  call(socket, "chat.abort", { sessionKey: session }).catch(() => {});
  setTimeout(() => end(143), 300);
});
try {
  await call(socket, "sessions.subscribe", {});
  await call(socket, "sessions.create", { key: session, agentId: id, cwd: process.cwd() });
  const message = readFileSync(process.env.REGATTA_PROMPT_FILE, "utf8");
  const turn = { sessionKey: session, message, idempotencyKey: `regatta-${run}-${slot}`, suppressCommandInterpretation: true };
  await call(socket, "chat.send", turn);
} catch (error) {
  fail(error.message);
}
