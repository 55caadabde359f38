// The way to the other pages: at the side, and at the bottom of a phone.
import { Link, type LinkProps, useLocation } from "@tanstack/react-router";
import { CircleHelp, Plus, Search } from "lucide-react";
import { useEffect } from "react";
import type { Approval } from "@/api/types";
import { useExpiryNotices } from "@/approvals/notices";
import { useView } from "@/live/use-view";
import { buttonLook, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { Key, Keys } from "@/parts/key";
import { useReplay } from "@/replay/replay";
import { PLACES } from "./places";
import { StatusFoot } from "./status-foot";
import { ThemeSwitch } from "./theme-switch";
import { setWaiting } from "./title";

type Props = { onPalette: () => void; onHelp: () => void };

export function Side({ onPalette, onHelp }: Props) {
  return (
    <aside className="order-last flex shrink-0 border-line bg-surface max-md:border-t md:order-first md:w-52 md:flex-col md:border-r">
      <div className="flex h-12 items-center gap-2 px-4 max-md:hidden">
        <img src="/favicon.svg" alt="" width={20} height={20} />
        <span className="font-semibold text-lg tracking-tight">Regatta</span>
        <IconButton
          size="small"
          className="ml-auto"
          label="Keys (?)"
          icon={<CircleHelp size={14} aria-hidden />}
          onClick={onHelp}
        />
        <ThemeSwitch />
      </div>
      <div className="flex flex-col gap-2 px-3 pb-3 max-md:hidden">
        <Link to="/new" className={buttonLook("primary")}>
          <Plus size={15} aria-hidden /> New run
        </Link>
        <button
          type="button"
          onClick={onPalette}
          className="flex h-8 items-center gap-2 rounded-md border border-line px-2.5 text-faint hover:bg-raised hover:text-text"
        >
          <Search size={14} aria-hidden /> Search
          <span className="ml-auto">
            <Keys keys="mod+K" />
          </span>
        </button>
      </div>
      <nav
        aria-label="Pages"
        className="relative flex min-w-0 flex-1 gap-0.5 px-3 max-md:overflow-x-auto max-md:py-1 md:flex-col"
      >
        {PLACES.map((place) => (
          <Place key={place.to} {...place} />
        ))}
        <Link
          to="/new"
          className="order-first flex shrink-0 flex-col items-center px-3 py-1 text-accent text-xs md:hidden"
        >
          <Plus size={18} aria-hidden /> New
        </Link>
      </nav>
      <StatusFoot />
    </aside>
  );
}

type PlaceProps = (typeof PLACES)[number];

function Place({ name, to, icon: Icon, keys }: PlaceProps) {
  const { pathname } = useLocation();
  const isHere = to === "/" ? pathname === "/" || pathname.startsWith("/runs") : pathname.startsWith(to);
  return (
    <Link
      to={to as LinkProps["to"]}
      aria-current={isHere ? "page" : undefined}
      className={classes(
        "group flex shrink-0 items-center rounded-md max-md:flex-col max-md:px-2 max-md:py-1 max-md:text-xs md:h-8 md:gap-2.5 md:px-2.5",
        isHere ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised hover:text-text",
      )}
    >
      <Icon size={16} aria-hidden className={isHere ? "text-accent" : ""} />
      <span className={isHere ? "" : "max-md:sr-only"}>{name}</span>
      {to === "/fleet" && <Leaks />}
      {to === "/approvals" && <Questions />}
      {to === "/gateways" && <Away />}
      <span className="ml-auto hidden gap-1 md:group-hover:flex" aria-hidden>
        {keys.split(" ").map((key) => (
          <Key key={key}>{key}</Key>
        ))}
      </span>
    </Link>
  );
}

const NONE: Approval[] = [];

/** Questions that wait for a person: only when there are some. */
function Questions() {
  const { data } = useView("/approvals");
  const { asOf } = useReplay();
  const open = data?.open.length ?? 0;
  // What waited in the past waits for nobody.
  const waiting = asOf === undefined ? (data?.open ?? NONE) : NONE;
  useExpiryNotices(waiting);
  useEffect(() => setWaiting(waiting.length), [waiting]);
  if (open === 0) return null;
  return (
    <span
      className="ml-auto max-md:ml-0 rounded-sm bg-accent-wash px-1 text-accent text-xs"
      title="questions that wait for an answer"
    >
      {open}
    </span>
  );
}

/** Gateways without a connection: only when there are some. */
function Away() {
  const { data } = useView("/gateways");
  const rows = data?.rows ?? [];
  const away = rows.filter(({ link }) => link && link.state !== "connected").length;
  if (away === 0) return null;
  return (
    <span
      className="ml-auto max-md:ml-0 rounded-sm bg-warn-wash px-1 text-warn text-xs"
      title="gateways that are not connected"
    >
      {away} away
    </span>
  );
}

/** Sandboxes with no right to exist: only when there are some. */
function Leaks() {
  const { data } = useView("/fleet");
  const leaks = data?.totals.leaks ?? 0;
  if (leaks === 0) return null;
  return <span className="ml-auto rounded-sm bg-bad-wash px-1 text-bad text-xs">{leaks} leaked</span>;
}
