// Says when the page is not live any more, and how old what it shows is.
import { Unplug } from "lucide-react";
import { count } from "@/format/numbers";
import { age } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useLive } from "@/live/use-live";

export function ConnectionBar() {
  const { connection, seq, heardAtMs } = useLive();
  const now = useNow();
  if (connection !== "lost") return null;
  return (
    <div role="alert" className="flex h-9 shrink-0 items-center gap-2 border-line border-b bg-raised px-4">
      <Unplug size={14} aria-hidden className="text-warn" />
      <span className="truncate">
        connection lost, showing Seq {count(seq)}, {age(Math.max(1_000, now - heardAtMs))} old
      </span>
      <span className="text-faint max-sm:hidden">trying again; is the server up? regatta up</span>
    </div>
  );
}
