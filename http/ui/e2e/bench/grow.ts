// Makes a long run out of a short one: an exported log, in which each attempt prints as many pieces as wanted.

import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";

type Line = {
  seq: number;
  stream: string;
  stream_seq: number;
  id: string;
  name: string;
  payload?: Payload;
  payload_base64?: string;
};
type Payload = Record<string, unknown>;
type End = { end: number; events: number };

/** Bytes of a piece of output before its own bytes: lease, command, check, channel, offset, length. */
const HEAD_BYTES = 24;

/** One piece of output as the log holds it: under the first lease, by the agent, on standard output. */
function piece(offset: number, text: string): string {
  const bytes = Buffer.from(text);
  const whole = Buffer.alloc(HEAD_BYTES + bytes.length);
  whole.writeUInt32LE(1, 0);
  whole.writeUInt8(1, 4);
  whole.writeBigUInt64LE(BigInt(offset), 8);
  whole.writeBigUInt64LE(BigInt(bytes.length), 16);
  bytes.copy(whole, HEAD_BYTES);
  return whole.toString("base64");
}

/** A line of the log that looks as what agents print: most are short, some are coloured. */
function printed(number: number): string {
  const colour = number % 7 === 0 ? ["\u001b[32m", "\u001b[0m"] : ["", ""];
  return `${colour[0]}[${String(number).padStart(6, "0")}]${colour[1]} reading src/module_${number % 97}.rs, ${number * 31} tokens so far\n`;
}

/** Writes the log anew: `pieces` pieces for the first output of each attempt, and everything renumbered. */
export async function grow(from: string, to: string, pieces: number): Promise<void> {
  const out = createWriteStream(to);
  const bytesOf = new Map<string, number>();
  let seq = 0;
  for await (const text of createInterface(createReadStream(from))) {
    const line = JSON.parse(text) as Line | End;
    // What closes an export: it counts the events before it.
    if ("end" in line) {
      await put(out, { end: seq, events: seq });
      continue;
    }
    const attempt = line.stream.replace(/^output\//, "");
    if (line.name === "attempt.output") {
      if (bytesOf.has(attempt)) continue;
      let offset = 0;
      for (let number = 1; number <= pieces; number += 1) {
        const bytes = printed(number);
        seq += 1;
        await put(out, {
          ...line,
          seq,
          stream_seq: number,
          id: freshId(line.id, number),
          payload_base64: piece(offset, bytes),
        });
        offset += Buffer.byteLength(bytes);
      }
      bytesOf.set(attempt, offset);
      continue;
    }
    seq += 1;
    const own = line.stream.replace(/^attempt\//, "");
    const told = bytesOf.get(own);
    const payload =
      line.name === "attempt.phase_ended" && line.payload?.phase === "agent" && told !== undefined
        ? { ...line.payload, out_bytes: told }
        : line.payload;
    await put(out, { ...line, seq, payload });
  }
  out.end();
  await once(out, "finish");
}

/** An id nobody else has: the piece's number stands in its last twelve digits. */
function freshId(id: string, number: number): string {
  return `${id.slice(0, 24)}${(BigInt(`0x${id.slice(24)}`) ^ (BigInt(number) << 8n)).toString(16).padStart(12, "0").slice(-12)}`;
}

async function put(out: WriteStream, line: Line | End): Promise<void> {
  if (!out.write(`${JSON.stringify(line)}\n`)) await once(out, "drain");
}
