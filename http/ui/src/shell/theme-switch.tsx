// One button: light, dark, as the system.
import { Monitor, Moon, Sun } from "lucide-react";
import { IconButton } from "@/parts/button";
import { choose, type Theme, useTheme } from "./theme";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const NAMES: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };
const ICONS = { system: Monitor, light: Sun, dark: Moon };

export function ThemeSwitch() {
  const theme = useTheme();
  const Icon = ICONS[theme];
  return (
    <IconButton
      size="small"
      label={`Theme: ${NAMES[theme]}; change to ${NAMES[NEXT[theme]]}`}
      icon={<Icon size={14} aria-hidden />}
      onClick={() => choose(NEXT[theme])}
    />
  );
}
