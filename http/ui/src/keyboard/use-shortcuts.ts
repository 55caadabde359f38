// Keys of a component, while it is there.
import { useEffect, useRef } from "react";
import { registry, type Shortcut } from "./registry";

export function useShortcuts(group: string, shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  // Functions change at every render; keys and words rarely do.
  const shape = shortcuts.map((shortcut) => `${shortcut.keys}\t${shortcut.about}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the shape stands for the shortcuts, whose functions are read when a key is pressed.
  useEffect(() => {
    if (latest.current.length === 0) return undefined;
    const stable = latest.current.map((shortcut, index) => ({
      ...shortcut,
      run: () => latest.current[index]?.run(),
    }));
    return registry.add({ name: group, shortcuts: stable });
  }, [group, shape]);
}
