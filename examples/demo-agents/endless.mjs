// Never ends: thinks for ever, and leaves a child behind that ignores requests to stop.
// Stands for a coding agent that hangs. Whoever runs it must end both; a sandbox does.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const say = async (text, ms = 400) => (console.log(text), await wait(ms));

// In a session of its own, out of reach of signals to this one. Gone after ten minutes, should nobody have a fence.
const child = 'process.on("SIGTERM", () => {}); setTimeout(() => process.exit(), 600_000);';
spawn(process.execPath, ["--eval", child], { detached: true, stdio: "ignore" }).unref();

const prompt = readFileSync(process.env.REGATTA_PROMPT_FILE, "utf8");
await say(`task: ${prompt.split("\n")[0]}`);
await say("before changing anything, let me consider every possible text");
for (let length = 1; ; length++) await say(`thinking… texts of ${length} characters`);
