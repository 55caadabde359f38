// Times and durations as people read them. Pure: now is an argument.

/** A duration that ticks: `0:07`, `1:42`, `1:02:09`. */
export function clock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1_000));
  const seconds = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3_600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** A duration that is over: `87 ms`, `4.2 s`, `1:42`. */
export function lasted(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  return clock(ms);
}

/** How long ago, in one unit: `now`, `9 s`, `4 min`, `3 h`, `12 d`. */
export function age(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function ago(ms: number): string {
  const text = age(ms);
  return text === "now" ? text : `${text} ago`;
}

/** A moment in local time, to the millisecond: for hovering. */
export function moment(us: number): string {
  const date = new Date(us / 1_000);
  const pad = (value: number, digits = 2) => String(value).padStart(digits, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${timeOfDay(us)}`;
}

/** `14:02:11.204` */
export function timeOfDay(us: number): string {
  const date = new Date(us / 1_000);
  const pad = (value: number, digits = 2) => String(value).padStart(digits, "0");
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}
