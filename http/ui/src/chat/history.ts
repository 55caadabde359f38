// A gateway's transcript as turns, so that what was said before Regatta listened is shown like everything else. Pure.
import type { Turn } from "@/api/types";
import type { TranscriptRow } from "@/gateways/answers";
import { emptyTurn } from "./turn";

/** A turn out of a transcript, or a mark between turns, as `reset`. */
export type Told = { sort: "turn"; turn: Turn; entry: string } | { sort: "mark"; mark: string; atMs: number };

/** What a gateway says the model was of text that somebody put in. */
export const INJECTED = "gateway-injected";

export function turnsOf(rows: readonly TranscriptRow[]): Told[] {
  const told: Told[] = [];
  for (const row of rows) {
    if (row.role === "system") {
      told.push({ sort: "mark", mark: row.mark ?? row.text, atMs: row.atMs });
      continue;
    }
    const last = told.at(-1);
    const isOfLast = last?.sort === "turn" && row.role !== "user" && belongs(row, last.turn);
    const turn = isOfLast ? last.turn : begun(row);
    if (!isOfLast) told.push({ sort: "turn", turn, entry: row.id });
    add(turn, row);
  }
  return told;
}

function belongs(row: TranscriptRow, turn: Turn): boolean {
  return row.model !== INJECTED && turn.model !== INJECTED && (row.run === undefined || row.run === turn.run);
}

function begun(row: TranscriptRow): Turn {
  const atUs = row.atMs * 1_000;
  return { ...emptyTurn(row.run ?? row.id), state: "final", started_at_us: atUs, ended_at_us: atUs };
}

function add(turn: Turn, row: TranscriptRow): void {
  turn.ended_at_us = row.atMs * 1_000;
  if (row.role === "user") {
    turn.prompt = row.text;
    return;
  }
  if (row.role !== "assistant") {
    const tool = turn.tools.find((known) => known.call === row.answers);
    if (tool) tool.output = row.text;
    return;
  }
  turn.model = row.model ?? turn.model;
  if (row.text !== "") {
    turn.parts.push({ type: "text", text: row.text });
    turn.text = row.text;
  }
  for (const { call, name, arguments: given } of row.tools) {
    turn.parts.push({ type: "tool", call });
    turn.tools.push({
      call,
      name,
      arguments: given,
      title: null,
      state: "done",
      output: "",
      exit_code: null,
      approval: null,
    });
  }
}
