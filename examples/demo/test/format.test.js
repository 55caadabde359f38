import assert from "node:assert/strict";
import { test } from "node:test";

import { toCsv, toTable } from "../src/format.js";
import { parse } from "../src/parse.js";
import { select, toObjects } from "../src/table.js";

test("what is written reads back", () => {
  const rows = [["a,b", 'say "hi"', "two\nlines"], ["", " ", "plain"]];
  assert.deepEqual(parse(toCsv(rows)), rows);
});

test("a table lines up", () => {
  assert.equal(toTable([["city", "people"], ["Oslo", "709037"]]), "city  people\nOslo  709037\n");
});

test("columns are kept in the order they are asked for", () => {
  assert.deepEqual(select([["a", "b", "c"], ["1", "2"]], ["c", "a"]), [["c", "a"], ["", "1"]]);
});

test("a column that is not there is named", () => {
  assert.throws(() => select([["a"]], ["z"]), /no column "z"; there are: a/);
});

test("rows become objects", () => {
  assert.deepEqual(toObjects([["a", "b"], ["1", "2"]]), [{ a: "1", b: "2" }]);
});
