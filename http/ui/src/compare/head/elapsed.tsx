// How long an attempt has been at it; ticks while it goes on.
import type { Column } from "@/api/types";
import { clock, lasted } from "@/format/time";
import { useNow } from "@/format/use-now";

type Props = { column: Column; readAtMs: number; isReplay: boolean };

export function Elapsed({ column, readAtMs, isReplay }: Props) {
  const now = useNow();
  if (column.state.name === "finished")
    return <span title="from its first start to its end">{lasted(column.elapsed_ms)}</span>;
  if (column.elapsed_ms === 0) return null;
  const since = isReplay ? 0 : Math.max(0, now - readAtMs);
  return <span title="since its first start">{clock(column.elapsed_ms + since)}</span>;
}
