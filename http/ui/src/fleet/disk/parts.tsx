// The data directory, part by part: a bar of all of it, and each with its size. What a person can do something about here
// has the accent.
import type { Disk, DiskSort } from "@/api/types";
import { bytes } from "@/format/numbers";
import { classes } from "@/parts/classes";

const SORTS: Record<DiskSort, { name: string; about: string; fill: string }> = {
  log: { name: "log", about: "events; regatta log prune removes old ones", fill: "bg-faint" },
  patches: { name: "patches", about: "what attempts changed", fill: "bg-accent" },
  artifacts: { name: "artifacts", about: "what attempts left besides", fill: "bg-accent-fill" },
  archives: { name: "archives", about: "of what was cleaned", fill: "bg-soft" },
  workspaces: { name: "workspaces", about: "removed when their attempts are over", fill: "bg-busy" },
  mirrors: { name: "mirrors", about: "of repositories; packs linked from there free nothing", fill: "bg-line-strong" },
  seeds: { name: "seeds", about: "work trees to copy; made again when missing", fill: "bg-line-strong" },
  index: { name: "index", about: "rebuilt from the log when it is lost", fill: "bg-line-strong" },
  prompts: { name: "prompts", about: "long ones; they stay with their runs", fill: "bg-line-strong" },
  unnamed: { name: "other blobs", about: "of archived runs, or kept just before a crash", fill: "bg-line-strong" },
  other: { name: "other", about: "everything else", fill: "bg-line-strong" },
};

export function Parts({ disk }: { disk: Disk }) {
  const all = disk.parts.reduce((sum, part) => sum + part.bytes, 0);
  return (
    <div className="overflow-hidden rounded-md border border-line bg-surface">
      <div aria-hidden className="flex h-2 gap-px bg-line">
        {disk.parts.map(({ sort, bytes: size }) => (
          <span key={sort} className={SORTS[sort].fill} style={{ width: `${(100 * size) / Math.max(all, 1)}%` }} />
        ))}
      </div>
      <dl className="grid grid-cols-[repeat(auto-fit,minmax(132px,1fr))] gap-px bg-line">
        {disk.parts.map(({ sort, bytes: size }) => {
          const { name, about, fill } = SORTS[sort];
          return (
            <div key={sort} title={about} className="flex flex-col-reverse bg-surface px-4 py-2">
              <dt className="flex items-center gap-1.5 text-faint text-sm">
                <span aria-hidden className={classes("inline-block h-2 w-2 rounded-sm", fill)} />
                {name}
              </dt>
              <dd className="text-lg">{bytes(size)}</dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}
