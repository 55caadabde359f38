// A list that follows its end until somebody scrolls up.
import { useCallback, useLayoutEffect, useRef, useState } from "react";

/** This close to the end counts as at it. */
const NEAR_PX = 40;

export function useFollow(content: unknown) {
  const scroller = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);
  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (element) setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it moves when what is shown changes.
  useLayoutEffect(() => {
    if (isAtEnd) toEnd();
  }, [content, isAtEnd, toEnd]);
  return { scroller, isAtEnd, onScroll, toEnd };
}
