// A short text of output with its colours, all of it drawn.
import { useLayoutEffect, useMemo, useRef } from "react";
import { OutputLine } from "../output/ansi";
import { LineReader } from "../output/lines";

type Props = {
  text: string;
  /** It begins in the middle: what is left of its first line says nothing. */
  isTail?: boolean;
};

export function PlainOutput({ text, isTail }: Props) {
  const box = useRef<HTMLPreElement>(null);
  const lines = useMemo(() => {
    const reader = new LineReader();
    reader.read({
      epoch: 1,
      phase: "agent",
      channel: "out",
      offset: 0,
      stream_seq: 1,
      seq: 1,
      text: isTail ? text.slice(text.indexOf("\n") + 1) : text,
    });
    return reader.lines.filter((line) => !line.mark);
  }, [text, isTail]);
  // What failed stands at the end.
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);
  return (
    <pre
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className="code max-h-96 overflow-auto whitespace-pre-wrap rounded-sm border border-line bg-sunken px-2.5 py-1.5 [overflow-wrap:anywhere]"
    >
      {lines.map((line, index) => (
        <div key={index}>
          <OutputLine line={line} />
        </div>
      ))}
    </pre>
  );
}
