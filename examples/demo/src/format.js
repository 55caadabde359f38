/**
 * Writes rows as comma-separated values, quoting where it must.
 *
 * @param {string[][]} rows
 * @param {{ delimiter?: string }} [options]
 */
export function toCsv(rows, { delimiter = "," } = {}) {
  const quote = (field) =>
    field.includes(delimiter) || /["\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
  return rows.map((row) => `${row.map(quote).join(delimiter)}\n`).join("");
}

/**
 * Writes rows as columns of equal width, for people.
 *
 * @param {string[][]} rows
 */
export function toTable(rows) {
  const widths = [];
  for (const row of rows) {
    row.forEach((field, column) => {
      widths[column] = Math.max(widths[column] ?? 0, field.length);
    });
  }
  const line = (row) => row.map((field, column) => field.padEnd(widths[column])).join("  ").trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}
