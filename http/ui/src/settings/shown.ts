// A value of the configuration as a person writes it. Pure.
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "unset";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  if (value === true) return "on";
  if (value === false) return "off";
  return String(value);
}
