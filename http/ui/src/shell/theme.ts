// Dark, light, or as the system. The choice is kept in this browser; `/theme.js` applies it before the first paint.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "dark" | "light";

const KEY = "regatta.theme";
const listeners = new Set<() => void>();

function chosen(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || theme === "light" ? theme : "system";
}

export function choose(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage can be denied; the choice then lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function isDark(): boolean {
  const theme = chosen();
  return theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosen);
}
