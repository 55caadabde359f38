// The frame of a page: its head, and a body that scrolls by itself.
import type { ReactNode } from "react";
import { useEffect } from "react";
import { setTitle } from "@/shell/title";

type Props = { title: string; tools?: ReactNode; children: ReactNode };

export function Page({ title, tools, children }: Props) {
  useEffect(() => {
    setTitle(`${title} · Regatta`);
  }, [title]);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-4 gap-y-2 border-line border-b bg-surface px-4 py-2">
        <h1 className="font-semibold text-lg">{title}</h1>
        {tools && <div className="flex min-w-0 flex-1 flex-wrap items-center gap-2 max-md:flex-auto">{tools}</div>}
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto">{children}</div>
    </div>
  );
}
