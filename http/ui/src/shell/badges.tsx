// What stands beside the name of a page because it wants to be looked at.
import { useEffect } from "react";
import type { Approval } from "@/api/types";
import { useExpiryNotices } from "@/approvals/notices";
import { useView } from "@/live/use-view";
import { classes } from "@/parts/classes";
import { useReplay } from "@/replay/replay";
import type { PLACES } from "./places";
import { setWaiting } from "./title";

export type Badge = { text: string; about: string; look: string };
export type Badges = Partial<Record<(typeof PLACES)[number]["to"], Badge>>;

const NONE: Approval[] = [];

/** For each page that has one: questions that wait, gateways that are away, sandboxes with no right to exist. */
export function useBadges(): Badges {
  const { asOf } = useReplay();
  const { data: approvals } = useView("/approvals");
  const { data: gateways } = useView("/gateways");
  const { data: fleet } = useView("/fleet");
  const open = approvals?.open ?? NONE;
  // What waited in the past waits for nobody.
  const waiting = asOf === undefined ? open : NONE;
  useExpiryNotices(waiting);
  useEffect(() => setWaiting(waiting.length), [waiting]);
  const away = (gateways?.rows ?? []).filter(({ link }) => link && link.state !== "connected").length;
  const leaks = fleet?.totals.leaks ?? 0;
  return {
    ...(open.length > 0 && {
      "/approvals": {
        text: String(open.length),
        about: "questions that wait for an answer",
        look: "bg-accent-wash text-accent",
      },
    }),
    ...(away > 0 && {
      "/gateways": { text: `${away} away`, about: "gateways that are not connected", look: "bg-warn-wash text-warn" },
    }),
    ...(leaks > 0 && {
      "/fleet": {
        text: `${leaks} leaked`,
        about: "sandboxes with no right to exist",
        look: "bg-bad-wash text-bad",
      },
    }),
  };
}

export function BadgeText({ badge, className }: { badge: Badge; className?: string }) {
  return (
    <span className={classes("rounded-sm px-1 text-xs", badge.look, className)} title={badge.about}>
      {badge.text}
    </span>
  );
}
