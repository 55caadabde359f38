// A list that follows its end until somebody scrolls up, and stays where it is when something is put in front of it.
import { useCallback, useLayoutEffect, useRef, useState } from "react";

/** This close to the end counts as at it. */
const NEAR_PX = 40;

/** `first` stands for what comes first in the content. The browser's own anchoring is to be off: it does not hold at the top. */
export function useFollow(content: unknown, first: unknown) {
  const scroller = useRef<HTMLDivElement>(null);
  const before = useRef({ first, height: 0 });
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);
  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    before.current.height = element.scrollHeight;
    setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it moves when what is shown changes.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (isAtEnd) toEnd();
    else if (before.current.first !== first) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { first, height: element.scrollHeight };
  }, [content, first, isAtEnd, toEnd]);
  return { scroller, isAtEnd, onScroll, toEnd };
}
