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
  if (text === "") return [];

  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;

  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char !== '"') {
        field += char;
      } else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else {
        quoted = false;
      }
    } else if (char === '"' && field === "") {
      quoted = true;
    } else if (char === delimiter) {
      row.push(field);
      field = "";
    } else if (char === "\n") {
      row.push(field);
      rows.push(row);
      row = [];
      field = "";
    } else if (char !== "\r" || text[i + 1] !== "\n") {
      field += char;
    }
  }

  if (quoted) throw new SyntaxError("a quoted field has no end");
  return rows;
}
