// The shape of the compare page while it is read.
import { Skeleton } from "@/parts/skeleton";
import { BodySkeleton } from "./body-note";

export function CompareSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="flex h-full flex-col">
      <div className="flex h-24 flex-col gap-2 border-line border-b bg-surface px-4 py-3">
        <Skeleton className="h-5 w-2/5" />
        <Skeleton className="h-4 w-3/5" />
      </div>
      <div className="grid flex-1 gap-px bg-line md:grid-cols-3">
        {[0, 1, 2].map((column) => (
          <div key={column} className="bg-surface max-md:[&:not(:first-child)]:hidden">
            <div className="flex flex-col gap-2 border-line border-b p-3">
              <Skeleton className="h-5 w-1/2" />
              <Skeleton className="h-4 w-4/5" />
            </div>
            <BodySkeleton />
          </div>
        ))}
      </div>
    </div>
  );
}
