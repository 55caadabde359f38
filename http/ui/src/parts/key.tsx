// A key, as it is printed on a keyboard.
import type { ReactNode } from "react";

const NAMES: Record<string, string> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  " ": "Space",
  Enter: "↵",
};
const isMac = typeof navigator !== "undefined" && /mac/i.test(navigator.platform);

export function Key({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-flex h-[18px] min-w-[18px] items-center justify-center rounded-sm border border-line-strong bg-raised px-1 font-sans text-soft text-xs">
      {children}
    </kbd>
  );
}

export function Keys({ keys }: { keys: string }) {
  const parts = keys
    .split(" ")
    .flatMap((key) => (key.startsWith("mod+") ? [isMac ? "⌘" : "Ctrl", key.slice(4)] : [key]));
  return (
    <span className="inline-flex gap-1">
      {parts.map((part) => (
        <Key key={part}>{NAMES[part] ?? (part.length === 1 ? part : part)}</Key>
      ))}
    </span>
  );
}
