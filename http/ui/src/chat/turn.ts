// A turn nothing is known of yet. Pure: it asks nobody.
import type { Turn } from "@/api/types";

export function emptyTurn(run: string): Turn {
  return {
    run,
    state: "running",
    reason: null,
    prompt: null,
    text: "",
    is_cut: false,
    parts: [],
    addenda: [],
    tools: [],
    model: null,
    input_tokens: 0,
    output_tokens: 0,
    cost_micros: 0,
    started_at_us: 0,
    ended_at_us: null,
  };
}
