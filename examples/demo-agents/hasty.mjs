// Breaks another test: makes the failing test pass in the first way that comes to mind, and looks no further.
// Stands for a coding agent: it reads the prompt, works in the current folder, and prints what it does.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const say = async (text, ms = 150) => (console.log(text), await wait(ms));

const prompt = readFileSync(process.env.REGATTA_PROMPT_FILE, "utf8");
await say(`task: ${prompt.split("\n")[0]}`);
await say("easy: make sure that the text always ends with a line break");

const path = "src/parse.js";
const source = readFileSync(path, "utf8");
const start = '  if (text === "") return [];\n';
if (!source.includes(start)) throw new Error(`${path} is not as expected`);
writeFileSync(path, source.replace(start, start + '  text = text.trimEnd() + "\\n";\n'));
await say(`edited ${path}: +1 -0`);

const { parse } = await import(`file://${process.cwd()}/${path}`);
const kept = parse("a,b\n1,2").length === 2;
await say(kept ? "the last row is kept now, done" : "that did not help", 0);
process.exitCode = kept ? 0 : 1;
