// Frames captured from a real gateway, for tests: those the Rust client is tested with, and answers of methods.
import { readFileSync } from "node:fs";
import { readFrame, type Told } from "./frames";

const FRAMES = new URL("../../../../gateway/tests/frames/", import.meta.url);

/** What a gateway said in a capture, frame by frame, as text. */
export function captured(name: string): string[] {
  const lines = readFileSync(new URL(`${name}.jsonl`, FRAMES), "utf8")
    .trimEnd()
    .split("\n");
  const said = lines.map((line) => JSON.parse(line) as { dir: string; frame?: unknown });
  return said
    .filter((line) => line.dir === "recv" && line.frame !== undefined)
    .map((line) => JSON.stringify(line.frame));
}

/** The events of a capture. */
export function events(name: string): Told[] {
  return captured(name).flatMap((text) => {
    const frame = readFrame(text);
    return frame?.type === "event" ? [frame] : [];
  });
}

/** What a method answered; several of one method have a word behind it. */
export function answer(name: string): unknown {
  const text = readFileSync(new URL("../gateways/fixtures/answers.json", import.meta.url), "utf8");
  const answers = JSON.parse(text) as Record<string, unknown>;
  if (!(name in answers)) throw new Error(`nothing was captured of ${name}`);
  return answers[name];
}
