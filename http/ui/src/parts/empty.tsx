// An empty place that teaches the next step, with the exact command.
import type { ReactNode } from "react";
import { CommandLine } from "./command-line";

type Props = { title: string; children?: ReactNode; command?: string; action?: ReactNode };

export function Empty({ title, children, command, action }: Props) {
  return (
    <div className="mx-auto flex w-full max-w-lg flex-col items-center gap-3 px-6 py-16 text-center">
      <h2 className="font-semibold text-lg">{title}</h2>
      {children && <p className="text-soft">{children}</p>}
      {command && <CommandLine command={command} />}
      {action}
    </div>
  );
}
