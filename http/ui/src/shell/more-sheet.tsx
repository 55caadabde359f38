// A phone's other pages, and what stands at the side of a desk: search, the past, how the page is doing, who one is.
import { Link, type LinkProps, useLocation } from "@tanstack/react-router";
import { History, Search } from "lucide-react";
import { useMe } from "@/api/me";
import { count } from "@/format/numbers";
import { useLive } from "@/live/use-live";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";
import { Dialog } from "@/parts/dialog";
import { useReplay } from "@/replay/replay";
import { SignOut } from "@/sign-in/sign-out";
import { type Badges, BadgeText } from "./badges";
import { isAt, PLACES } from "./places";
import { ConnectionState } from "./status-foot";
import { ThemeSwitch } from "./theme-switch";

type Props = { badges: Badges; onPalette: () => void; onClose: () => void };

export function MoreSheet({ badges, onPalette, onClose }: Props) {
  const { pathname } = useLocation();
  const { seq } = useLive();
  const { asOf, goTo } = useReplay();
  const { data: me } = useMe();
  const then = (act: () => void) => () => {
    onClose();
    act();
  };
  return (
    <Dialog title="More" isSheet onClose={onClose}>
      <nav aria-label="More pages" className="grid grid-cols-2 gap-1">
        {PLACES.filter(({ isMain }) => !isMain).map(({ name, to, icon: Icon }) => {
          const badge = badges[to];
          const isHere = isAt(to, pathname);
          return (
            <Link
              key={to}
              to={to as LinkProps["to"]}
              onClick={onClose}
              aria-current={isHere ? "page" : undefined}
              className={classes(
                "flex h-11 items-center gap-3 rounded-md px-3",
                isHere ? "bg-raised font-medium" : "text-soft",
              )}
            >
              <Icon size={18} aria-hidden className={isHere ? "text-accent" : ""} />
              {name}
              {badge && <BadgeText badge={badge} className="ml-auto" />}
            </Link>
          );
        })}
      </nav>
      <div className="mt-3 grid grid-cols-2 gap-2">
        <Button onClick={then(onPalette)}>
          <Search size={15} aria-hidden /> Search
        </Button>
        {asOf === undefined && (
          <Button onClick={then(() => goTo(seq))}>
            <History size={15} aria-hidden /> Look at the past
          </Button>
        )}
      </div>
      <div className="mt-3 flex min-w-0 items-center gap-3 border-line border-t pt-2 text-faint">
        <ConnectionState />
        <span className="whitespace-nowrap">Seq {count(seq)}</span>
        <span className="ml-auto flex min-w-0 items-center gap-2">
          {me && (
            <span className="truncate">
              {me.name} · {me.role}
            </span>
          )}
          <ThemeSwitch />
          {me?.via === "session" && <SignOut />}
        </span>
      </div>
    </Dialog>
  );
}
