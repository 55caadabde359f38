// Settings: the configuration and where it comes from, who may do what, and what the doctor finds.
import { useMe } from "@/api/me";
import { classes } from "@/parts/classes";
import { Page } from "@/parts/page";
import { ThemeSwitch } from "@/shell/theme-switch";
import { SignOut } from "@/sign-in/sign-out";
import { useQueryState } from "@/timeline/use-query";
import { Configuration } from "./configuration";
import { Doctor } from "./doctor";
import { Secrets } from "./secrets";
import { Tokens } from "./tokens";
import { Users } from "./users";

const PARTS = [
  { name: "config", title: "Configuration", part: Configuration },
  { name: "tokens", title: "Tokens", part: Tokens },
  { name: "users", title: "Users", part: Users },
  { name: "secrets", title: "Secrets", part: Secrets },
  { name: "doctor", title: "Doctor", part: Doctor },
] as const;

export default function SettingsPage() {
  const [query, change] = useQueryState();
  const open = PARTS.find((part) => part.name === query.part) ?? PARTS[0];
  const Part = open.part;
  return (
    <Page
      title="Settings"
      tools={
        <>
          <div role="tablist" aria-label="Parts" className="flex flex-wrap gap-1">
            {PARTS.map(({ name, title }) => (
              <button
                key={name}
                type="button"
                role="tab"
                aria-selected={name === open.name}
                onClick={() => change({ part: name === PARTS[0].name ? "" : name })}
                className={classes(
                  "h-7 rounded-md px-2.5",
                  name === open.name ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised hover:text-text",
                )}
              >
                {title}
              </button>
            ))}
          </div>
          <PhoneTools />
        </>
      }
    >
      <div role="tabpanel" aria-label={open.title} className="mx-auto max-w-5xl p-4">
        <Part />
      </div>
    </Page>
  );
}

/** What stands at the side of a desk, where a phone has no side. */
function PhoneTools() {
  const { data: me } = useMe();
  return (
    <span className="ml-auto flex items-center gap-2 text-faint md:hidden">
      {me && (
        <span className="truncate">
          {me.name} · {me.role}
        </span>
      )}
      <ThemeSwitch />
      {me?.via === "session" && <SignOut />}
    </span>
  );
}
