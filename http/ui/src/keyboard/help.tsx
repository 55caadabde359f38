// Every key that works now.
import { useSyncExternalStore } from "react";
import { Dialog } from "@/parts/dialog";
import { Keys } from "@/parts/key";
import { registry } from "./registry";

export function KeyboardHelp({ onClose }: { onClose: () => void }) {
  const groups = useSyncExternalStore(registry.subscribe, registry.snapshot);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
        {groups.toReversed().map((group) => (
          <section key={group.name} className="min-w-0">
            <h3 className="mb-1 font-semibold text-faint text-xs uppercase tracking-wider">{group.name}</h3>
            <dl>
              {group.shortcuts
                .filter((shortcut) => !shortcut.silent)
                .map((shortcut) => (
                  <div key={shortcut.keys} className="flex items-center justify-between gap-4 py-0.5">
                    <dt className="min-w-0 truncate" title={shortcut.about}>
                      {shortcut.about}
                    </dt>
                    <dd>
                      <Keys keys={shortcut.keys} />
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
