// Which runs are shown. The choice stands in the address.
import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { bareField } from "@/parts/field";
import type { RunQuery } from "./use-runs";

const STATES = [
  { name: "All", state: undefined },
  { name: "Going on", state: "requested,preparing,racing,deciding,delivering,cancelling" },
  { name: "Needs you", state: "undecided,undelivered" },
  { name: "Delivered", state: "delivered" },
  { name: "Failed", state: "failed,cancelled" },
] as const;

/** Typing is over when nothing came for this long. */
const TYPED_MS = 200;

type Props = { query: RunQuery; onChange: (query: RunQuery) => void };

export function RunFilters({ query, onChange }: Props) {
  return (
    <>
      <fieldset className="flex min-w-0 gap-0.5 overflow-x-auto" aria-label="State">
        {STATES.map(({ name, state }) => (
          <button
            key={name}
            type="button"
            aria-pressed={query.state === state}
            onClick={() => onChange({ ...query, state })}
            className={classes(
              "h-8 whitespace-nowrap rounded-md px-2.5 max-md:h-10 max-sm:px-2 max-md:min-w-10",
              query.state === state ? "bg-raised font-medium text-text" : "text-soft hover:bg-raised",
            )}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <SearchField text={query.text ?? ""} onChange={(text) => onChange({ ...query, text: text || undefined })} />
    </>
  );
}

function SearchField({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const field = useRef<HTMLInputElement>(null);
  const latest = useRef(onChange);
  latest.current = onChange;
  useShortcuts("Runs", [{ keys: "/", about: "Search the runs", run: () => field.current?.focus() }]);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return undefined;
    const timer = setTimeout(() => latest.current(typed), TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed, text]);
  return (
    <div className="relative ml-auto w-64 max-md:w-full">
      <Search size={14} aria-hidden className="absolute top-2 left-2.5 text-faint" />
      <input
        ref={field}
        type="search"
        aria-label="Search the runs by title or id"
        placeholder="Title or id"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") field.current?.blur();
        }}
        className={bareField("pl-8 [&::-webkit-search-cancel-button]:hidden")}
      />
      {typed && (
        <IconButton
          size="small"
          label="Clear the search"
          className="absolute top-1 right-1"
          icon={<X size={13} aria-hidden />}
          onClick={() => setTyped("")}
        />
      )}
    </div>
  );
}
