// What an attempt prints, live: it follows the end until somebody scrolls up. Only lines that are seen are drawn.
import { useLayoutEffect, useRef } from "react";
import type { Column } from "@/api/types";
import { bytes } from "@/format/numbers";
import { ProblemNotice } from "@/parts/problem-notice";
import { BodyNote, BodySkeleton } from "../body-note";
import { useSlotName } from "../slot-name";
import { Lines } from "./lines-view";
import { useOutput } from "./use-output";
import { printsJson } from "./words";

type Props = { column: Column; checks: readonly string[]; isRaw: boolean };

export default function OutputBody({ column, checks, isRaw }: Props) {
  const inWords = !isRaw && printsJson(column);
  const [output, source] = useOutput(column.attempt, column.state.name === "finished", inWords);
  const lines = output.lines;
  const nameOf = useSlotName();
  if (output.error && lines.length === 0) {
    return <ProblemNotice className="m-3" error={output.error} onRetry={() => void source.toEnd()} />;
  }
  if (lines.length === 0) {
    if (output.isLoading && column.output_tail.text)
      return <Tail text={column.output_tail.text} before={column.output_tail.bytes_before} />;
    if (output.isLoading) return <BodySkeleton />;
    return (
      <BodyNote>
        {column.state.name === "queued"
          ? `It waits for its turn${column.waits_for ? `: ${column.waits_for}.` : "."}`
          : column.state.name === "finished"
            ? "It printed nothing."
            : "Nothing printed yet."}
      </BodyNote>
    );
  }
  return (
    <div className="flex h-full flex-col">
      {output.error !== undefined && (
        <ProblemNotice className="m-2" error={output.error} onRetry={() => void source.toEnd()} />
      )}
      <div className="min-h-0 flex-1">
        <Lines
          name={column.slot}
          lines={lines}
          checks={checks}
          version={output.version}
          prepended={output.prepended}
          isStart={output.isStart}
          isEnd={output.isEnd}
          isLoading={output.isLoading}
          label={`Output of attempt ${nameOf(column.slot)}`}
          onEarlier={() => void source.earlier()}
          onLater={() => void source.later()}
          onStart={() => void source.toStart()}
          onEnd={() => void source.toEnd()}
        />
      </div>
    </div>
  );
}

/** The end that came with the comparison: there at once, until the output itself is read. */
function Tail({ text, before }: { text: string; before: number }) {
  const box = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);
  return (
    <pre ref={box} className="code h-full overflow-auto whitespace-pre-wrap px-3 py-1.5 [overflow-wrap:anywhere]">
      {before > 0 && (
        <span className="text-faint">
          … {bytes(before)} before{"\n"}
        </span>
      )}
      {text}
    </pre>
  );
}
