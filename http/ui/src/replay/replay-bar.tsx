// Says, unmistakably, that the page shows the past; moves through it; and says how to leave.
import { History } from "lucide-react";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { useLive } from "@/live/use-live";
import { Button } from "@/parts/button";
import { Key } from "@/parts/key";
import { useReplay } from "./replay";
import { Scrubber } from "./scrubber";

export function ReplayBar() {
  const { asOf, goTo, leave } = useReplay();
  const { seq } = useLive();
  useShortcuts(
    "Replay",
    asOf === undefined
      ? [{ keys: "g p", about: "Look at the past", run: () => goTo(seq) }]
      : [{ keys: "Escape", about: "Leave the replay", run: leave }],
  );
  if (asOf === undefined) return null;
  const isSeq = /^\d+$/.test(asOf);
  return (
    <section
      aria-label="Replay"
      className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-warn border-b bg-warn-wash px-4 py-1 text-warn"
    >
      <History size={14} aria-hidden />
      <strong className="font-semibold tracking-wide">REPLAY</strong>
      {isSeq ? <Scrubber at={Number(asOf)} /> : <span className="truncate">everything as it was at {asOf}</span>}
      <Button className="max-md:ml-auto" size="small" onClick={leave}>
        Back to now
        <span className="max-md:hidden">
          <Key>Esc</Key>
        </span>
      </Button>
    </section>
  );
}
