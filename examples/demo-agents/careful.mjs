// Right and small: looks for the failing test, finds what is missing, adds one line, and makes sure.
// Stands for a coding agent: it reads the prompt, works in the current folder, and prints what it does.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const say = async (text, ms = 120) => (console.log(text), await wait(ms));

function tests() {
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap"], { encoding: "utf8" });
  const failing = [...stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map((match) => match[1].trim());
  return { passed: status === 0, failing: failing.filter((name) => !name.endsWith(".js")) };
}

const prompt = readFileSync(process.env.REGATTA_PROMPT_FILE, "utf8");
await say(`task: ${prompt.split("\n")[0]}`);
await say(`looking around: ${readdirSync("src").join(", ")}`);
const before = tests();
await say(`failing before: ${before.failing.join("; ") || "nothing"}`);

const path = "src/parse.js";
const source = readFileSync(path, "utf8");
const end = "  return rows;\n";
if (!source.includes(end)) throw new Error(`${path} is not as expected`);
await say("a row is kept only when a line break comes; what is left at the end of the text is dropped");
// Also a last row that ends in an empty field, and one that is an empty quoted field.
writeFileSync(path, source.replace(end, '  if (!text.endsWith("\\n")) rows.push([...row, field]);\n' + end));
await say(`edited ${path}: +1 -0`);

const after = tests();
await say(after.passed ? "all tests pass, done" : `still failing: ${after.failing.join("; ")}`, 0);
process.exitCode = after.passed ? 0 : 1;
