#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { toCsv, toTable } from "./format.js";
import { parse } from "./parse.js";
import { select, toObjects } from "./table.js";

const writers = {
  csv: toCsv,
  table: toTable,
  json: (rows) => `${JSON.stringify(toObjects(rows), null, 2)}\n`,
};

function main() {
  const { values } = parseArgs({
    options: {
      columns: { type: "string" },
      delimiter: { type: "string", default: "," },
      to: { type: "string", default: "csv" },
    },
  });
  const write = writers[values.to];
  if (!write) throw new RangeError(`there is no format "${values.to}"; there are: ${Object.keys(writers).join(", ")}`);
  let rows = parse(readFileSync(0, "utf8"), { delimiter: values.delimiter });
  if (values.columns) rows = select(rows, values.columns.split(","));
  process.stdout.write(write(rows));
}

try {
  main();
} catch (error) {
  console.error(`tinycsv: ${error.message}`);
  process.exitCode = 1;
}
