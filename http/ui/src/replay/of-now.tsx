// Says of a part of the page that it stays as it is now, while the rest shows the past.
import type { ReactNode } from "react";
import { useReplay } from "./replay";

export function OfNow({ children }: { children: ReactNode }) {
  const { asOf } = useReplay();
  if (asOf === undefined) return null;
  return (
    <p role="note" className="rounded-md bg-warn-wash px-3 py-2 text-warn">
      {children}
    </p>
  );
}
