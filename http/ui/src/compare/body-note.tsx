// A sentence in place of a body, and what stands there while it loads.
import type { ReactNode } from "react";
import { classes } from "@/parts/classes";
import { Skeleton } from "@/parts/skeleton";

export function BodyNote({ children, tone }: { children: ReactNode; tone?: "bad" }) {
  return <p className={classes("p-4", tone === "bad" ? "text-bad" : "text-faint")}>{children}</p>;
}

export function BodySkeleton() {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-2 p-3">
      {["w-3/5", "w-4/5", "w-2/5", "w-3/4", "w-1/2", "w-2/3"].map((width) => (
        <Skeleton key={width} className={`h-3.5 ${width}`} />
      ))}
    </div>
  );
}
