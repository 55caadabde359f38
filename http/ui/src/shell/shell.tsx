// What is around every page: the way to the others, the state of the connection, replay, help and the palette.

import { Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { KeyboardHelp } from "@/keyboard/help";
import { useKeyboard } from "@/keyboard/listen";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { codeOf } from "@/live/code";
import { classes } from "@/parts/classes";
import { useMay } from "@/replay/may";
import { useReplay } from "@/replay/replay";
import { ReplayBar } from "@/replay/replay-bar";
import { CatchingUp } from "./catching-up";
import { ConnectionBar } from "./connection-bar";
import { PLACES } from "./places";
import { Side } from "./side";
import { useSignInWhenNeeded } from "./sign-in-when-needed";
import { choose, isDark } from "./theme";

const Palette = lazy(() => codeOf(() => import("@/palette/palette")));

type Open = "help" | "palette" | undefined;

export function Shell() {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const { asOf } = useReplay();
  const mayRun = useMay("run");
  const [open, setOpen] = useState<Open>();
  useKeyboard(open !== undefined);
  useSignInWhenNeeded();
  useShortcuts("Everywhere", [
    { keys: "?", about: "Show these keys", run: () => setOpen("help") },
    { keys: "mod+k", about: "Command palette", run: () => setOpen("palette"), whileTyping: true },
    ...PLACES.map(({ keys, name, to }) => ({ keys, about: `Go to ${name}`, run: () => void navigate({ to }) })),
    ...(mayRun ? [{ keys: "n", about: "New run", run: () => void navigate({ to: "/new" }) }] : []),
    { keys: "g d", about: "Dark or light", run: () => choose(isDark() ? "light" : "dark") },
  ]);
  if (pathname === "/sign-in") return <Outlet />;
  return (
    <div className="flex h-full flex-col md:flex-row">
      <Side onPalette={() => setOpen("palette")} onHelp={() => setOpen("help")} />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <ConnectionBar />
        <CatchingUp />
        <ReplayBar />
        <main className={classes("relative min-h-0 flex-1 overflow-hidden", asOf && "border-2 border-warn border-t-0")}>
          <Outlet />
        </main>
      </div>
      {open === "help" && <KeyboardHelp onClose={() => setOpen(undefined)} />}
      {open === "palette" && (
        <Suspense>
          <Palette onClose={() => setOpen(undefined)} />
        </Suspense>
      )}
    </div>
  );
}
