// Every key the page listens to, in one place: what is registered is what `?` shows and the palette offers.
export type Shortcut = {
  /** One key or a sequence: `d`, `g r`, `ArrowLeft`, `mod+k` (Ctrl, or Cmd on a Mac). */
  keys: string;
  about: string;
  run: () => void;
  /** Not shown in help, as a second key for the same. */
  silent?: boolean;
  /** Also while typing in a field. */
  whileTyping?: boolean;
};

export type Group = { name: string; shortcuts: readonly Shortcut[] };

/** Time for the second key of a sequence. */
const SEQUENCE_MS = 1_000;

type KeyPress = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "timeStamp">;

/** The name of a pressed key, as it stands in `keys`. */
export function keyName(press: KeyPress): string {
  const mod = press.ctrlKey || press.metaKey ? "mod+" : "";
  const alt = press.altKey ? "alt+" : "";
  return `${mod}${alt}${press.key}`;
}

export class Registry {
  private groups: Group[] = [];
  private readonly listeners = new Set<() => void>();
  private first: { key: string; at: number } | undefined;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): readonly Group[] => this.groups;

  add(group: Group): () => void {
    this.groups = [...this.groups, group];
    this.tell();
    return () => {
      this.groups = this.groups.filter((known) => known !== group);
      this.tell();
    };
  }

  /** Finds what a key press means. Whoever registered last comes first, so an open part overrules the page under it. */
  match(press: KeyPress, isTyping: boolean): Shortcut | undefined {
    const name = keyName(press);
    const sequence =
      this.first && press.timeStamp - this.first.at <= SEQUENCE_MS ? `${this.first.key} ${name}` : undefined;
    this.first = undefined;
    const allowed = (shortcut: Shortcut) => !isTyping || shortcut.whileTyping === true;
    const known = this.groups.toReversed().flatMap((group) => group.shortcuts.filter(allowed));
    const found =
      known.find((shortcut) => shortcut.keys === sequence) ?? known.find((shortcut) => shortcut.keys === name);
    if (!found && known.some((shortcut) => shortcut.keys.startsWith(`${name} `))) {
      this.first = { key: name, at: press.timeStamp };
    }
    return found;
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export const registry = new Registry();
