// Ctrl/Cmd-K: every action that has a key, every page, and the latest runs.
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Command } from "cmdk";
import { type ReactNode, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import type { Slot } from "@/api/types";
import { whoTries } from "@/compare/head/who-tries";
import { namesIn, toAddress } from "@/compare/slot-name";
import { registry } from "@/keyboard/registry";
import { useView } from "@/live/use-view";
import { Keys } from "@/parts/key";
import { type Right, useRole } from "@/replay/may";
import type { Search } from "@/routes";
import { RunStateBadge } from "@/runs/run-state";

const ENTRY =
  "flex h-9 cursor-pointer items-center gap-3 rounded-md px-3 data-[selected=true]:bg-raised data-[selected=true]:text-text";

/** Places within pages; the pages themselves have keys and stand below. */
const PAGES: {
  name: string;
  /** What one must be allowed to do for there to be something. */
  needs?: Right;
  to: "/timeline" | "/fleet" | "/gateways" | "/approvals" | "/chat" | "/sessions" | "/agents" | "/usage" | "/settings";
  search: Search;
}[] = [
  { name: "Timeline of everything", to: "/timeline", search: {} },
  { name: "Fleet: sandboxes and who waits", to: "/fleet", search: {} },
  { name: "Approvals: what agents ask", to: "/approvals", search: {} },
  { name: "Chat: conversations with agents of gateways", to: "/chat", search: {} },
  { name: "Sessions: compact, reset, delete", to: "/sessions", search: {} },
  { name: "Sessions that are at work", to: "/sessions", search: { state: "busy" } },
  { name: "Agents: SOUL.md, MEMORY.md and the others", to: "/agents", search: {} },
  { name: "Usage and cost by gateway", to: "/usage", search: { by: "gateway" } },
  { name: "Usage and cost by model", to: "/usage", search: { by: "model" } },
  { name: "Gateways: connections", to: "/gateways", search: {} },
  { name: "Settings: configuration", to: "/settings", search: {} },
  { name: "Settings: tokens", to: "/settings", search: { part: "tokens" }, needs: "tokens" },
  { name: "Settings: users", to: "/settings", search: { part: "users" } },
  { name: "Settings: secrets", to: "/settings", search: { part: "secrets" }, needs: "secrets" },
  { name: "Settings: doctor", to: "/settings", search: { part: "doctor" }, needs: "doctor" },
];

export default function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  const groups = useSyncExternalStore(registry.subscribe, registry.snapshot);
  const allows = useRole();
  const { data: runs } = useView("/runs", { limit: 30 });
  // Closed while it is still there: only then does the browser give the focus back to what opened it.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    // What was focused before the dialog was shown is not any more.
    input.current?.focus();
    return () => element?.close();
  }, []);
  const choose = (act: () => void) => () => {
    onClose();
    act();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc is the dialog's own key; a click beside it is only in addition.
    <dialog
      ref={dialog}
      aria-label="Command palette"
      onCancel={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className="mt-[12vh] w-[calc(100vw-24px)] max-w-xl overflow-hidden rounded-md border border-line-strong bg-surface text-text shadow-2xl"
    >
      <Command label="Command palette" loop>
        <Command.Input
          ref={input}
          placeholder="Type a command, a run's id or its title"
          className="h-12 w-full border-line border-b bg-transparent px-4 text-lg outline-none"
        />
        <Command.List className="max-h-[50vh] overflow-y-auto p-2">
          <Command.Empty className="px-3 py-6 text-center text-soft">Nothing is called that.</Command.Empty>
          <Attempts choose={choose} />
          <Group heading="Latest runs">
            {runs?.rows.map((run) => (
              <Command.Item
                key={run.id}
                value={`${run.id} ${run.title}`}
                className={ENTRY}
                onSelect={choose(() => void navigate({ to: "/runs/$run", params: { run: run.id } }))}
              >
                <RunStateBadge state={run.state} />
                <bdi className="truncate">{run.title}</bdi>
                <code className="ml-auto text-faint text-sm">{run.id}</code>
              </Command.Item>
            ))}
          </Group>
          <Group heading="Pages">
            {PAGES.filter(({ needs }) => needs === undefined || allows?.(needs)).map(({ name, to, search }) => (
              <Command.Item
                key={name}
                value={`page ${name}`}
                className={ENTRY}
                onSelect={choose(
                  () => void navigate({ to, search: (before: Search) => ({ as_of: before.as_of, ...search }) }),
                )}
              >
                {name}
              </Command.Item>
            ))}
          </Group>
          {groups.toReversed().map((group) => (
            <Group key={group.name} heading={group.name}>
              {group.shortcuts
                .filter((shortcut) => shortcut.keys !== "mod+k" && !shortcut.silent)
                .map((shortcut) => (
                  <Command.Item
                    key={shortcut.keys}
                    value={`${group.name} ${shortcut.about}`}
                    className={ENTRY}
                    onSelect={choose(shortcut.run)}
                  >
                    {shortcut.about}
                    <span className="ml-auto">
                      <Keys keys={shortcut.keys} />
                    </span>
                  </Command.Item>
                ))}
            </Group>
          ))}
        </Command.List>
      </Command>
    </dialog>
  );
}

/** The attempts of the run that is open, and its timeline. */
function Attempts({ choose }: { choose: (act: () => void) => () => void }) {
  const navigate = useNavigate();
  const { run }: { run?: string } = useParams({ strict: false });
  const { blind }: Search = useSearch({ strict: false });
  // What is hidden on the page is hidden here.
  const params = { blind: blind === "1" || undefined };
  const { data } = useView(`/runs/${run ?? ""}/compare`, params, { enabled: run !== undefined });
  if (run === undefined || !data) return null;
  const nameOf = namesIn(data);
  const to = (slot: Slot) =>
    void navigate({
      to: "/runs/$run",
      params: { run: data.run },
      search: (before: Search) => ({ ...before, ...toAddress({ at: slot }, data) }),
    });
  return (
    <Group heading="This run">
      {data.columns.map((column) => (
        <Command.Item
          key={column.attempt}
          value={`attempt ${data.blind ? nameOf(column.slot) : column.attempt}`}
          className={ENTRY}
          onSelect={choose(() => to(column.slot))}
        >
          <span className="font-semibold">{nameOf(column.slot)}</span>
          <span className="truncate">{whoTries(column)}</span>
          {!data.blind && <code className="ml-auto text-faint text-sm">{column.attempt}</code>}
        </Command.Item>
      ))}
      <Command.Item
        value={`timeline of ${data.run}`}
        className={ENTRY}
        onSelect={choose(() => void navigate({ to: "/runs/$run/timeline", params: { run: data.run } }))}
      >
        Timeline of this run
      </Command.Item>
    </Group>
  );
}

function Group({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="text-soft [&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-faint [&_[cmdk-group-heading]]:text-xs"
    >
      {children}
    </Command.Group>
  );
}
