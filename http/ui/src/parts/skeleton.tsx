// What stands where something will: the same size, so that nothing jumps.
import { classes } from "./classes";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={classes("breathe rounded-sm bg-raised", className)} />;
}

export function SkeletonRows({ rows = 8, height = "h-11" }: { rows?: number; height?: string }) {
  return (
    <div role="status" aria-label="Loading" className="divide-y divide-line">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={classes("flex items-center gap-4 px-4", height)}>
          <Skeleton className="h-4 w-20" />
          <Skeleton className="h-4 w-2/5" />
          <Skeleton className="ml-auto h-4 w-24" />
        </div>
      ))}
    </div>
  );
}
