// How the page itself is: connection, position in the log, leaks, and who is signed in.
import { useMe } from "@/api/me";
import { count } from "@/format/numbers";
import { ago } from "@/format/time";
import { useNow } from "@/format/use-now";
import { useLive } from "@/live/use-live";
import { useView } from "@/live/use-view";
import { classes } from "@/parts/classes";
import { useReplay } from "@/replay/replay";
import { SignOut } from "@/sign-in/sign-out";

const WORDS = { connecting: "connecting", live: "live", lost: "lost", "signed-out": "signed out" };

/** Whether the page hears of what happens. */
export function ConnectionState() {
  const { connection, heardAtMs } = useLive();
  const now = useNow();
  const isLive = connection === "live";
  return (
    <span
      title={`last event heard ${ago(now - heardAtMs)}`}
      className={classes("flex items-center gap-1.5 whitespace-nowrap", isLive ? "text-good" : "text-warn")}
    >
      <span aria-hidden>{isLive ? "●" : "◌"}</span>
      <span role="status">{WORDS[connection]}</span>
    </span>
  );
}

export function StatusFoot() {
  const { seq } = useLive();
  const { goTo } = useReplay();
  const { data: fleet } = useView("/fleet");
  const { data: me } = useMe();
  return (
    <div className="border-line border-t px-4 py-2.5 text-sm max-md:hidden">
      <div className="flex items-center justify-between">
        <ConnectionState />
        <button
          type="button"
          title="Look at the past (g p)"
          onClick={() => goTo(seq)}
          className="rounded-sm text-faint underline-offset-2 hover:text-text hover:underline"
        >
          Seq <span className="text-soft">{count(seq)}</span>
        </button>
      </div>
      <div className="flex items-center justify-between text-faint">
        <span>
          leaks{" "}
          <span className={fleet && fleet.totals.leaks > 0 ? "text-bad" : "text-soft"}>
            {fleet?.totals.leaks ?? "?"}
          </span>
        </span>
        <span title="sandboxes that exist now">
          <span className="text-soft">{fleet?.totals.alive ?? "?"}</span> alive
        </span>
      </div>
      <div className="mt-1 flex min-h-6 items-center justify-between gap-2 text-faint">
        {me && (
          <>
            <span className="truncate" title={`${me.name}, ${me.role}, through a ${me.via}`}>
              {me.name} · {me.role}
            </span>
            {me.via === "session" && <SignOut />}
          </>
        )}
      </div>
    </div>
  );
}
