import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../src/parse.js";

function check(name, text, rows, options) {
  test(name, () => assert.deepEqual(parse(text, options), rows));
}

check("no text has no rows", "", []);
check("a line is a row", "a,b\n1,2\n", [["a", "b"], ["1", "2"]]);
check("a last row needs no line break", "a,b\n1,2", [["a", "b"], ["1", "2"]]);
check("an empty field is a field", ",\n", [["", ""]]);
check("an empty line is a row with one empty field", "a\n\nb\n", [["a"], [""], ["b"]]);
check("a line may end with two characters", "a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]);
check("quotes hold delimiters and line breaks", '"a,b","c\nd"\n', [["a,b", "c\nd"]]);
check("a doubled quote is a quote", '"say ""hi"""\n', [['say "hi"']]);
check("spaces belong to the field", "a,b\n1, \n", [["a", "b"], ["1", " "]]);
check("another delimiter can be asked for", "a;b,c\n", [["a", "b,c"]], { delimiter: ";" });

test("quotes without an end are an error", () => {
  assert.throws(() => parse('"a\n'), /has no end/);
});
