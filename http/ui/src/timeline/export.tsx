// The selection as a file: every event the filter shows, one JSON object a line, oldest first.
import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { getJson, type Params } from "@/api/client";
import type { Entry, EntryPage, Seq } from "@/api/types";
import { plural } from "@/format/numbers";
import { Button } from "@/parts/button";
import { useReplay } from "@/replay/replay";

/** Bounds what a browser holds for one file; the command line has no such bound. */
const EXPORT_EVENTS_MAX = 50_000;
const PAGE = 1_000;

export function Export({ params, name }: { params: Params; name: string }) {
  const { asOf } = useReplay();
  const read = useMutation({
    mutationFn: async () => {
      const rows = await selection(params, asOf);
      save(rows, `${name}.jsonl`);
      return rows.length;
    },
  });
  const isCut = (read.data ?? 0) >= EXPORT_EVENTS_MAX;
  return (
    <>
      <Button
        size="small"
        disabled={read.isPending}
        onClick={() => read.mutate()}
        title="One JSON object a line; for whole events: regatta log export"
      >
        <Download size={13} aria-hidden /> {read.isPending ? "Reading…" : "Export"}
      </Button>
      <span role="status" className="text-faint text-sm">
        {read.isError && <span className="text-bad">not exported: {read.error.message}</span>}
        {read.data !== undefined && `${plural(read.data, "event")}${isCut ? ": the first; narrow the filter" : ""}`}
      </span>
    </>
  );
}

async function selection(params: Params, asOf: string | undefined): Promise<Entry[]> {
  const rows: Entry[] = [];
  let after: Seq | null = 0;
  while (after !== null && rows.length < EXPORT_EVENTS_MAX) {
    const page: EntryPage = await getJson("/timeline", { ...params, after, limit: PAGE, as_of: asOf });
    rows.push(...page.rows);
    after = page.next;
  }
  return rows;
}

function save(rows: readonly Entry[], name: string): void {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
