// How many attempts may run at once, and where each limit comes from.
import { Link } from "@tanstack/react-router";
import { useView } from "@/live/use-view";
import { shown } from "@/settings/shown";

export function Limits() {
  const { data } = useView("/config", {}, { timeless: true });
  const limits = (data ?? []).filter((row) => row.key.startsWith("limits."));
  if (limits.length === 0) return null;
  return (
    <section aria-label="Limits">
      <h2 className="mb-2 font-semibold">
        Limits{" "}
        <Link to="/settings" className="font-normal text-faint underline-offset-2 hover:underline">
          in the configuration
        </Link>
      </h2>
      <dl className="divide-y divide-line overflow-hidden rounded-md border border-line bg-surface">
        {limits.map((row) => (
          <div key={row.key} className="grid gap-x-4 px-4 py-1.5 sm:grid-cols-[14rem_6rem_1fr]">
            <dt className="code">{row.key}</dt>
            <dd>{row.value === null ? "no limit" : shown(row.value)}</dd>
            <dd className="text-faint">
              {row.about}, from {row.source}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
