// Right and bloated: fixes the bug by rewriting the parser into a framework, with documents and more tests.
// Stands for a coding agent: it reads the prompt, works in the current folder, and prints what it does.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const say = async (text, ms = 300) => (console.log(text), await wait(ms));

const files = {
  "src/parser/states.js": `/** Where the reader stands within a field. */
export const States = Object.freeze({
  FIELD_START: "field-start",
  PLAIN: "plain",
  QUOTED: "quoted",
  QUOTE_IN_QUOTED: "quote-in-quoted",
});
`,
  "src/parser/tokens.js": `/** The kinds of tokens the tokenizer gives. */
export const Tokens = Object.freeze({
  FIELD: "field",
  ROW_END: "row-end",
});

export class Token {
  constructor(kind, value = "") {
    this.kind = kind;
    this.value = value;
    Object.freeze(this);
  }

  static field(value) {
    return new Token(Tokens.FIELD, value);
  }

  static rowEnd() {
    return new Token(Tokens.ROW_END);
  }
}
`,
  "src/parser/tokenizer.js": `import { States } from "./states.js";
import { Token } from "./tokens.js";

/** Cuts text into tokens, one character at a time. */
export class Tokenizer {
  #delimiter;
  #state = States.FIELD_START;
  #field = "";

  constructor({ delimiter }) {
    this.#delimiter = delimiter;
  }

  *tokenize(text) {
    let started = false;
    for (let i = 0; i < text.length; i++) {
      const char = text[i];
      const next = text[i + 1];
      if (this.#state === States.QUOTED) {
        if (char === '"') this.#state = States.QUOTE_IN_QUOTED;
        else this.#field += char;
        continue;
      }
      if (this.#state === States.QUOTE_IN_QUOTED) {
        if (char === '"') {
          this.#field += char;
          this.#state = States.QUOTED;
          continue;
        }
        this.#state = States.PLAIN;
      }
      started = true;
      if (char === '"' && this.#field === "") {
        this.#state = States.QUOTED;
      } else if (char === this.#delimiter) {
        yield this.#take();
      } else if (char === "\\n") {
        yield this.#take();
        yield Token.rowEnd();
        started = false;
      } else if (char !== "\\r" || next !== "\\n") {
        this.#field += char;
        this.#state = States.PLAIN;
      }
    }
    if (this.#state === States.QUOTED) throw new SyntaxError("a quoted field has no end");
    if (started) {
      yield this.#take();
      yield Token.rowEnd();
    }
  }

  #take() {
    const token = Token.field(this.#field);
    this.#field = "";
    this.#state = States.FIELD_START;
    return token;
  }
}
`,
  "src/parser/builder.js": `import { Tokens } from "./tokens.js";

/** Puts tokens together into rows. */
export class RowBuilder {
  #rows = [];
  #row = [];

  accept(token) {
    if (token.kind === Tokens.FIELD) {
      this.#row.push(token.value);
    } else {
      this.#rows.push(this.#row);
      this.#row = [];
    }
    return this;
  }

  build() {
    return this.#rows;
  }
}
`,
  "src/parse.js": `import { RowBuilder } from "./parser/builder.js";
import { Tokenizer } from "./parser/tokenizer.js";

/**
 * Reads comma-separated values (RFC 4180) into rows of fields.
 *
 * A field in double quotes may hold delimiters, line breaks and doubled quotes. Spaces belong to the field.
 *
 * @param {string} text
 * @param {{ delimiter?: string }} [options]
 * @returns {string[][]}
 */
export function parse(text, { delimiter = "," } = {}) {
  const builder = new RowBuilder();
  for (const token of new Tokenizer({ delimiter }).tokenize(text)) builder.accept(token);
  return builder.build();
}
`,
  "test/parser.test.js": `import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../src/parse.js";

for (const end of ["", "\\n", "\\r\\n"]) {
  test(\`rows are kept with \${JSON.stringify(end)} at the end\`, () => {
    assert.deepEqual(parse(\`a,b\${end}\`), [["a", "b"]]);
    assert.deepEqual(parse(\`a,\${end}\`), [["a", ""]]);
    assert.deepEqual(parse(\`"a"\${end}\`), [["a"]]);
    assert.deepEqual(parse(\`""\${end}\`), [[""]]);
  });
}
`,
  "docs/parser.md": `# The parser

| part | what it does |
|---|---|
| \`Tokenizer\` | cuts text into tokens |
| \`Token\` | a field, or the end of a row |
| \`RowBuilder\` | puts tokens together into rows |

A row ends with a line break or with the text.
`,
  "CHANGELOG.md": `# Changes

## 1.1.0

- The parser was rewritten.
- The last row is kept without a line break at the end.
`,
};

const prompt = readFileSync(process.env.REGATTA_PROMPT_FILE, "utf8");
await say(`task: ${prompt.split("\n")[0]}`);
await say(`looking around: ${readdirSync("src").join(", ")}`);
await say("the parser mixes reading and building; a clean design would not have had this bug");
for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  await say(`wrote ${path} (${text.split("\n").length - 1} lines)`);
}
const { status } = spawnSync(process.execPath, ["--test"], { encoding: "utf8" });
await say(status === 0 ? "all tests pass, done" : "some tests fail", 0);
process.exitCode = status === 0 ? 0 : 1;
