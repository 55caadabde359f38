import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../src/cli.js", import.meta.url));

function run(input, ...args) {
  return spawnSync(process.execPath, [cli, ...args], { input, encoding: "utf8" });
}

test("columns are picked and shown as a table", () => {
  const { stdout, status } = run("city,land,people\nOslo,Norway,709037\n", "--columns", "people,city", "--to", "table");
  assert.deepEqual([stdout, status], ["people  city\n709037  Oslo\n", 0]);
});

test("a wrong format is named, with those there are", () => {
  const { stderr, status } = run("a\n", "--to", "xml");
  assert.match(stderr, /no format "xml"; there are: csv, table, json/);
  assert.equal(status, 1);
});
