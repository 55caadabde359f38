// Ctrl/Cmd-K: every action that has a key, every page, and the latest runs.
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { type ReactNode, useEffect, useRef, useSyncExternalStore } from "react";
import type { RunPage } from "@/api/types";
import { registry } from "@/keyboard/registry";
import { useView } from "@/live/use-view";
import { Keys } from "@/parts/key";
import { RunStateBadge } from "@/runs/run-state";

const ENTRY =
  "flex h-9 cursor-pointer items-center gap-3 rounded-md px-3 data-[selected=true]:bg-raised data-[selected=true]:text-text";

export default function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const groups = useSyncExternalStore(registry.subscribe, registry.snapshot);
  const { data: runs } = useView<RunPage>("/runs", { limit: 30 });
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
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
          autoFocus
          placeholder="Type a command, a run's id or its title"
          className="h-12 w-full border-line border-b bg-transparent px-4 text-lg outline-none"
        />
        <Command.List className="max-h-[50vh] overflow-y-auto p-2">
          <Command.Empty className="px-3 py-6 text-center text-soft">Nothing is called that.</Command.Empty>
          <Group heading="Latest runs">
            {runs?.rows.map((run) => (
              <Command.Item
                key={run.id}
                value={`${run.id} ${run.title}`}
                className={ENTRY}
                onSelect={choose(() => void navigate({ to: "/runs/$run", params: { run: run.id } }))}
              >
                <RunStateBadge state={run.state} />
                <span className="truncate">{run.title}</span>
                <code className="ml-auto text-faint text-sm">{run.id}</code>
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
