// Colours of the hunks that are seen, each made once, after what is seen was drawn.
import { useEffect, useState } from "react";
import type { Span, spansOf } from "./highlight";
import type { FileDiff, Hunk } from "./patch";

const made = new WeakMap<Hunk, Span[][]>();
let spans: typeof spansOf | undefined;

async function load(): Promise<typeof spansOf> {
  spans ??= (await import("./highlight")).spansOf;
  return spans;
}

export function spansOfLine(hunk: Hunk, lineIndex: number): Span[] | undefined {
  return made.get(hunk)?.[lineIndex];
}

/** Colours hunks as they come into view; draws again when they are ready. */
export function useSpans(seen: readonly { file: FileDiff; hunk: Hunk }[]): void {
  const [, draw] = useState(0);
  const wanted = seen.filter(({ hunk }) => !made.has(hunk));
  const key = wanted.map(({ file, hunk }) => `${file.path}:${hunk.index}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for what is wanted.
  useEffect(() => {
    if (wanted.length === 0) return undefined;
    let isThere = true;
    void load().then((make) => {
      for (const { file, hunk } of wanted) if (!made.has(hunk)) made.set(hunk, make(hunk, file.path) ?? []);
      if (isThere) draw((count) => count + 1);
    });
    return () => {
      isThere = false;
    };
  }, [key]);
}
