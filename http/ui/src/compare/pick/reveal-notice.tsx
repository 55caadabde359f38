// What a blind vote was for: said once the names are shown, since letters mean other attempts then.
import { X } from "lucide-react";
import type { Revealed } from "@/api/types";
import { IconButton } from "@/parts/button";
import { shortCommand } from "../head/who-tries";

/** The name the winner had while nobody knew who it was, and what was answered. */
export type Vote = { run: string; name: string; revealed: Revealed };

export function RevealNotice({ vote, onClose }: { vote: Vote; onClose: () => void }) {
  return (
    <p role="status" className="flex shrink-0 items-center gap-2 border-line border-b bg-raised px-4 py-1.5">
      <span className="min-w-0 truncate">{wordsOf(vote)}</span>
      <span className="ml-auto">
        <IconButton
          size="small"
          label="Close what the vote was for"
          icon={<X size={14} aria-hidden />}
          onClick={onClose}
        />
      </span>
    </p>
  );
}

export function wordsOf({ name, revealed: { winner, attempts } }: Omit<Vote, "run">): string {
  const won = attempts.find(({ slot }) => slot === winner);
  const who = won?.agent === "command" && won.command ? shortCommand(won.command) : won?.agent;
  const told = [who, won?.model].filter(Boolean).join(" · ");
  return `You picked ${name}: ${name} was ${winner.toUpperCase()}${told && `: ${told}`}.`;
}
