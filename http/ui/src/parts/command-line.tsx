// A command to type, with a button that copies it.
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { IconButton } from "./button";

export function CommandLine({ command }: { command: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(command);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <div className="flex max-w-full items-center gap-2 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
      <span className="select-none text-faint">$</span>
      <code
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        className="code min-w-0 overflow-x-auto whitespace-pre text-left"
      >
        {command}
      </code>
      <IconButton
        size="small"
        label={isCopied ? "Copied" : "Copy the command"}
        icon={isCopied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
        onClick={() => void copy()}
      />
    </div>
  );
}
