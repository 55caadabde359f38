// Says, unmistakably, that the page shows the past, and how to leave.
import { History } from "lucide-react";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button } from "@/parts/button";
import { Key } from "@/parts/key";
import { useReplay } from "./replay";

export function ReplayBar() {
  const { asOf, leave } = useReplay();
  useShortcuts("Replay", asOf === undefined ? [] : [{ keys: "Escape", about: "Leave the replay", run: leave }]);
  if (asOf === undefined) return null;
  const isSeq = /^\d+$/.test(asOf);
  return (
    <div
      role="status"
      className="flex h-9 shrink-0 items-center gap-2 border-warn border-b bg-warn-wash px-4 text-warn"
    >
      <History size={14} aria-hidden />
      <strong className="font-semibold tracking-wide">REPLAY</strong>
      <span className="truncate">
        everything as it was at {isSeq ? `Seq ${Number(asOf).toLocaleString("en")}` : asOf}
      </span>
      <Button className="ml-auto" size="small" onClick={leave}>
        Back to now <Key>Esc</Key>
      </Button>
    </div>
  );
}
