// A short text of output with its colours, all of it drawn.
import { useMemo } from "react";
import { OutputLine } from "../output/ansi";
import { LineReader } from "../output/lines";

export function PlainOutput({ text }: { text: string }) {
  const lines = useMemo(() => {
    const reader = new LineReader();
    reader.read({ epoch: 1, phase: "agent", channel: "out", offset: 0, stream_seq: 1, seq: 1, text });
    return reader.lines.filter((line) => !line.mark);
  }, [text]);
  return (
    <pre className="code max-h-96 overflow-auto whitespace-pre-wrap rounded-sm border border-line bg-sunken px-2.5 py-1.5 [overflow-wrap:anywhere]">
      {lines.map((line, index) => (
        <div key={index}>
          <OutputLine line={line} />
        </div>
      ))}
    </pre>
  );
}
