// Settings: the configuration and where it comes from, who may do what, and what the doctor finds.
import type { ComponentType } from "react";
import { classes } from "@/parts/classes";
import { Page } from "@/parts/page";
import { SkeletonRows } from "@/parts/skeleton";
import { type Right, useRole } from "@/replay/may";
import { OfNow } from "@/replay/of-now";
import { NotAllowed } from "@/shell/not-allowed";
import { useQueryState } from "@/timeline/use-query";
import { Configuration } from "./configuration";
import { Doctor } from "./doctor";
import { Secrets } from "./secrets";
import { Tokens } from "./tokens";
import { Users } from "./users";

type Part = {
  name: string;
  title: string;
  part: ComponentType;
  /** What one must be allowed to do to see it, and what whoever may not is told. */
  needs?: { right: Right; told: string };
};

const CONFIGURATION: Part = { name: "config", title: "Configuration", part: Configuration };
const PARTS: Part[] = [
  CONFIGURATION,
  { name: "tokens", title: "Tokens", part: Tokens, needs: { right: "tokens", told: "Tokens are kept by admins" } },
  { name: "users", title: "Users", part: Users },
  { name: "secrets", title: "Secrets", part: Secrets, needs: { right: "secrets", told: "Secrets are kept by admins" } },
  { name: "doctor", title: "Doctor", part: Doctor, needs: { right: "doctor", told: "Operators ask the doctor" } },
];

export default function SettingsPage() {
  const [query, change] = useQueryState();
  const allows = useRole();
  const open = PARTS.find((part) => part.name === query.part) ?? CONFIGURATION;
  const offered = PARTS.filter(({ needs }) => needs === undefined || allows?.(needs.right));
  return (
    <Page
      title="Settings"
      tools={
        <div role="tablist" aria-label="Parts" className="flex flex-wrap gap-1">
          {offered.map(({ name, title }) => (
            <button
              key={name}
              type="button"
              role="tab"
              aria-selected={name === open.name}
              onClick={() => change({ part: name === CONFIGURATION.name ? "" : name })}
              className={classes(
                "h-7 rounded-md px-2.5 max-md:h-10",
                name === open.name ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised hover:text-text",
              )}
            >
              {title}
            </button>
          ))}
        </div>
      }
    >
      <div role="tabpanel" aria-label={open.title} className="mx-auto flex max-w-5xl flex-col gap-4 p-4">
        <OfNow>Settings are shown as they are now, not as they were at that moment, and cannot be changed here.</OfNow>
        <OpenPart {...open} />
      </div>
    </Page>
  );
}

function OpenPart({ part: Shown, needs }: Part) {
  const allows = useRole();
  if (needs !== undefined && allows === undefined) return <SkeletonRows />;
  if (needs !== undefined && !allows?.(needs.right)) return <NotAllowed title={needs.told} />;
  return <Shown />;
}
