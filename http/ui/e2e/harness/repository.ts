// A small real repository: a counter of words with two functions that can be changed apart from each other.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const COUNT = `// Counts words.
export function count(text) {
  return text.split(" ").length;
}

export function longest(text) {
  let best = "";
  for (const word of text.split(" ")) {
    if (word.length > best.length) best = word;
  }
  return best;
}

export function shout(text) {
  return text.toUpperCase();
}
`;

const FILES: Record<string, string> = {
  "README.md": "# words\n\nCounts words.\n",
  "package.json": `${JSON.stringify({ name: "words", version: "1.0.0", type: "module" }, null, 2)}\n`,
  "src/count.js": COUNT,
  "src/index.js": `export { count, longest, shout } from "./count.js";\n`,
  "test/count.test.js": `import assert from "node:assert";
import test from "node:test";
import { count } from "../src/count.js";

test("two spaces count once", () => assert.equal(count("a  b"), 2));
`,
};

/** Makes the repository with one commit. */
export function makeRepository(folder: string) {
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  git(folder, "init", "--quiet", "--initial-branch=main");
  git(folder, "add", "--all");
  git(folder, "commit", "--quiet", "--message=The beginning");
}

/** What git answers in a repository. */
export function git(folder: string, ...args: string[]): string {
  const config = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
  return execFileSync("git", [...config, ...args], { cwd: folder, encoding: "utf8" });
}
