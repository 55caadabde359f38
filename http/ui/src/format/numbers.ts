// Numbers as people read them. Pure.

const PLAIN = new Intl.NumberFormat("en");

export function count(value: number): string {
  return PLAIN.format(value);
}

/** `1 file`, `2 files`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Tokens and the like: `831`, `12.4k`, `1.3M`. */
export function short(value: number): string {
  if (value < 1_000) return String(value);
  if (value < 999_500) return `${(value / 1_000).toFixed(value < 99_950 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** Bytes by powers of 1,024. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let left = value;
  let unit = 0;
  while (left >= 1_024 && unit < units.length - 1) {
    left /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** Millionths of a dollar. Small sums keep two digits that say something. */
export function dollars(micros: number): string {
  const value = micros / 1_000_000;
  if (value !== 0 && value < 0.01) return `$${value.toFixed(4)}`;
  return `$${value.toFixed(2)}`;
}
