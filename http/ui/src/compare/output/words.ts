// What agents say that print JSON for programs: read by the server, shown as remarks. Pure.
import type { Column, Remark } from "@/api/types";

/** Whether an agent prints JSON: all but commands, whose output is text already, and those nobody may know. */
export function printsJson(column: Pick<Column, "agent">): boolean {
  return column.agent !== "command";
}

const BEGINNINGS: Record<Remark["sort"], string> = {
  session: "session: ",
  text: "",
  thought: "",
  tool: "▸ ",
  tool_failed: "✗ failed: ",
  problem: "! ",
  finished: "■ says it is done\n",
  failed: "✗ says it failed\n",
  other: "",
};

/** What stands before a remark, so that its sort is told by more than colour. */
export function beginningOf(sort: Remark["sort"]): string {
  return BEGINNINGS[sort];
}

const LOOKS: Record<Remark["sort"], string> = {
  session: "text-faint",
  text: "",
  thought: "text-faint italic",
  tool: "text-busy",
  tool_failed: "text-bad",
  problem: "text-warn",
  // A claim, and no outcome: checks say that.
  finished: "text-soft",
  failed: "text-bad",
  other: "text-faint",
};

export function remarkLook(sort: Remark["sort"] | undefined): string {
  return sort === undefined ? "" : LOOKS[sort];
}
