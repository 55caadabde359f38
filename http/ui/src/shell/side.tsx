// The way to the other pages: at the side, and at the bottom of a phone.
import { Link, type LinkProps, useLocation } from "@tanstack/react-router";
import { CircleHelp, Ellipsis, Plus, Search } from "lucide-react";
import { useState } from "react";
import { useMe } from "@/api/me";
import { buttonLook, IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { Key, Keys } from "@/parts/key";
import { useMay } from "@/replay/may";
import { type Badge, type Badges, BadgeText, useBadges } from "./badges";
import { MoreSheet } from "./more-sheet";
import { isAt, PLACES } from "./places";
import { StatusFoot } from "./status-foot";
import { ThemeSwitch } from "./theme-switch";

type Props = { onPalette: () => void; onHelp: () => void };

export function Side({ onPalette, onHelp }: Props) {
  const badges = useBadges();
  const mayRun = useMay("run");
  const { data: me } = useMe();
  return (
    <aside className="order-last flex shrink-0 border-line bg-surface max-md:border-t max-md:pb-[env(safe-area-inset-bottom)] md:order-first md:w-52 md:flex-col md:border-r">
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
        {/* Its room is kept until it is known whether one may. */}
        {(mayRun || !me) && (
          <Link to="/new" className={classes(buttonLook("primary"), !mayRun && "invisible")}>
            <Plus size={15} aria-hidden /> New run
          </Link>
        )}
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
      <nav aria-label="Pages" className="flex min-w-0 flex-1 gap-0.5 max-md:px-1 md:flex-col md:px-3">
        {PLACES.map((place) => (
          <Place key={place.to} {...place} badge={badges[place.to]} />
        ))}
        {mayRun && (
          <Link to="/new" className={classes(ON_PHONE, "text-accent md:hidden")}>
            <Plus size={18} aria-hidden /> New run
          </Link>
        )}
        <More badges={badges} onPalette={onPalette} />
      </nav>
      <StatusFoot />
    </aside>
  );
}

const ON_PHONE =
  "relative flex max-md:h-13 max-md:min-w-0 max-md:flex-1 max-md:flex-col max-md:justify-center max-md:gap-0.5 max-md:text-xs items-center rounded-md";

type PlaceProps = (typeof PLACES)[number] & { badge: Badge | undefined };

function Place({ name, to, icon: Icon, keys, isMain, badge }: PlaceProps) {
  const { pathname } = useLocation();
  const isHere = isAt(to, pathname);
  return (
    <Link
      to={to as LinkProps["to"]}
      aria-current={isHere ? "page" : undefined}
      className={classes(
        "group md:h-8 md:gap-2.5 md:px-2.5",
        ON_PHONE,
        !isMain && "max-md:hidden",
        isHere ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised hover:text-text",
      )}
    >
      <Icon size={16} aria-hidden className={isHere ? "text-accent" : ""} />
      <span>{name}</span>
      {badge && (
        <BadgeText badge={badge} className="md:ml-auto max-md:absolute max-md:top-1 max-md:left-1/2 max-md:ml-2.5" />
      )}
      <span className="ml-auto hidden gap-1 md:group-hover:flex" aria-hidden>
        {keys.split(" ").map((key) => (
          <Key key={key}>{key}</Key>
        ))}
      </span>
    </Link>
  );
}

/** On a phone: the way to all the others, and that one of them wants to be looked at. */
function More({ badges, onPalette }: { badges: Badges; onPalette: () => void }) {
  const { pathname } = useLocation();
  const [isOpen, setOpen] = useState(false);
  const others = PLACES.filter(({ isMain }) => !isMain);
  const here = others.find(({ to }) => isAt(to, pathname));
  const wanting = others.flatMap(({ to }) => badges[to] ?? []);
  return (
    <>
      <button
        type="button"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-label={[
          "More pages",
          here && `${here.name} is open`,
          ...wanting.map(({ text, about }) => `${text}, ${about}`),
        ]
          .filter(Boolean)
          .join("; ")}
        onClick={() => setOpen(true)}
        className={classes(ON_PHONE, "md:hidden", here ? "bg-raised font-medium text-text" : "text-soft")}
      >
        <Ellipsis size={18} aria-hidden className={here ? "text-accent" : ""} />
        More
        {wanting.length > 0 && (
          <span aria-hidden className="absolute top-1.5 left-1/2 ml-2.5 size-2 rounded-full bg-warn" />
        )}
      </button>
      {isOpen && <MoreSheet badges={badges} onPalette={onPalette} onClose={() => setOpen(false)} />}
    </>
  );
}
