// From times to places on a line, and the times worth a tick. Pure.

export type Scale = { startUs: number; endUs: number };

/** The place of a time on the line, in per cent. */
export function place(scale: Scale, us: number): number {
  const length = Math.max(1, scale.endUs - scale.startUs);
  return Math.min(100, Math.max(0, ((us - scale.startUs) / length) * 100));
}

const STEPS_MS = [
  10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
  1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];

/** Distances from the start, in milliseconds, at most `most` of them, at round steps. */
export function ticks(scale: Scale, most: number): number[] {
  const lengthMs = (scale.endUs - scale.startUs) / 1_000;
  const step = STEPS_MS.find((candidate) => lengthMs / candidate <= most) ?? Math.ceil(lengthMs / most);
  const found: number[] = [];
  for (let at = 0; at <= lengthMs; at += step) found.push(at);
  return found;
}

/** A distance from the start as it stands at a tick: `0`, `200 ms`, `5 s`, `2:30`. */
export function distance(ms: number): string {
  if (ms === 0) return "0";
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1_000} s`;
  const seconds = Math.round(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}
