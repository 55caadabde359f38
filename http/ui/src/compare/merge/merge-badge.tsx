// Whether an attempt's work merges: clean, conflicts, behind.
import { GitMerge } from "lucide-react";
import type { MergeRow } from "@/api/types";
import { plural } from "@/format/numbers";
import { classes } from "@/parts/classes";

type Props = { row: MergeRow | undefined; into: string };

export function MergeBadge({ row, into }: Props) {
  if (!row || row.state === "unknown") return null;
  const isClean = row.state === "clean";
  const word = isClean ? "merges" : plural(row.conflicts.length, "conflict");
  const behind = row.behind > 0 ? `, ${row.behind} behind` : "";
  const about = isClean
    ? `merges into ${into} without conflicts`
    : `conflicts with ${into}: ${row.conflicts.join(", ")}`;
  return (
    <span
      className={classes("flex items-center gap-1 whitespace-nowrap", isClean ? "text-faint" : "text-warn")}
      title={`${about}${row.behind > 0 ? `; its base is ${plural(row.behind, "commit")} behind` : ""}`}
    >
      <GitMerge size={12} aria-hidden /> {word}
      {behind}
    </span>
  );
}
