/**
 * Keeps the named columns, in that order. The first row holds the names.
 *
 * @param {string[][]} rows
 * @param {string[]} names
 */
export function select(rows, names) {
  const [header = []] = rows;
  const places = names.map((name) => {
    const place = header.indexOf(name);
    if (place < 0) throw new RangeError(`there is no column "${name}"; there are: ${header.join(", ")}`);
    return place;
  });
  return rows.map((row) => places.map((place) => row[place] ?? ""));
}

/**
 * Gives one object per row, keyed by the names in the first row.
 *
 * @param {string[][]} rows
 */
export function toObjects(rows) {
  const [header = [], ...rest] = rows;
  return rest.map((row) => Object.fromEntries(header.map((name, place) => [name, row[place] ?? ""])));
}
