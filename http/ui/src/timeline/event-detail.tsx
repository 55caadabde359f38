// One event whole: who, when, what led to it, and the fact itself as the log holds it.
import { Link } from "@tanstack/react-router";
import { History, Link2, X } from "lucide-react";
import { useState } from "react";
import type { EventBody, Seq } from "@/api/types";
import { count } from "@/format/numbers";
import { moment } from "@/format/time";
import { runOf } from "@/live/touched";
import { useView } from "@/live/use-view";
import { Button, IconButton } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { Skeleton } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { KindName } from "./event-list";
import type { Query } from "./use-query";

type Props = {
  seq: Seq;
  /** The position of what led to it, when the list knows it. */
  causeSeq: Seq | null;
  onOpen: (seq: Seq) => void;
  /** Narrows the list to what this event has in common with others. */
  onOnly: (query: Query) => void;
  onClose: () => void;
};

export function EventDetail({ seq, causeSeq, onOpen, onOnly, onClose }: Props) {
  const { data: event, error, isPending, refetch } = useView(`/events/${String(seq)}`, {}, { timeless: true });
  const { goTo } = useReplay();
  return (
    <aside
      aria-label={`Event ${seq}`}
      className="flex min-h-0 shrink-0 flex-col border-line bg-surface max-md:max-h-[60%] max-md:border-t md:w-[26rem] md:border-l"
    >
      <header className="flex items-center gap-2 border-line border-b py-1.5 pr-2 pl-4">
        <h2 className="font-semibold">Seq {count(seq)}</h2>
        <span className="min-w-0 truncate">{event && <KindName kind={event.kind} />}</span>
        <span className="ml-auto" />
        <CopyLink seq={seq} />
        <IconButton size="small" label="Close (x)" icon={<X size={14} aria-hidden />} onClick={onClose} />
      </header>
      <div className="min-h-0 overflow-y-auto p-4">
        {isPending && <Skeleton className="h-40 w-full" />}
        {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
        {event && (
          <>
            <p className="mb-3 break-words">{event.text}</p>
            <Facts event={event} causeSeq={causeSeq} onOpen={onOpen} onOnly={onOnly} />
            <Button size="small" className="mt-3" onClick={() => goTo(seq)}>
              <History size={13} aria-hidden /> Show every page as of here
            </Button>
            <pre
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
              tabIndex={0}
              className="code mt-4 overflow-x-auto rounded-md border border-line bg-sunken p-3"
              data-testid="event-json"
            >
              {JSON.stringify(event.payload, null, 2)}
            </pre>
          </>
        )}
      </div>
    </aside>
  );
}

type FactsProps = Pick<Props, "causeSeq" | "onOpen" | "onOnly"> & { event: EventBody };

function Facts({ event, causeSeq, onOpen, onOnly }: FactsProps) {
  const run = runOf(event.stream);
  const attempt = /^(?:attempt|output)\/(.+)$/.exec(event.stream)?.[1];
  const rows: [string, React.ReactNode][] = [
    ["when", moment(event.at_us)],
    ["who", <Only key="who" word={event.actor} onOnly={() => onOnly({ actor: event.actor })} />],
    ["stream", `${event.stream} · ${count(event.stream_seq)}`],
    ["cause", <Cause key="cause" event={event} causeSeq={causeSeq} onOpen={onOpen} />],
    ["id", <code key="id">{event.id}</code>],
  ];
  if (run) {
    const link = (
      <Link key="run" to="/runs/$run" params={{ run }} className="text-accent underline-offset-2 hover:underline">
        {run}
      </Link>
    );
    rows.splice(2, 0, ["run", link]);
    if (attempt) {
      rows.splice(3, 0, ["attempt", <Only key="attempt" word={attempt} onOnly={() => onOnly({ attempt, run: "" })} />]);
    }
  }
  return (
    <dl className="grid grid-cols-[4rem_1fr] gap-y-0.5">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 break-all">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Only({ word, onOnly }: { word: string; onOnly: () => void }) {
  return (
    <button
      type="button"
      title={`Only events of ${word}`}
      onClick={onOnly}
      className="text-left text-accent underline-offset-2 hover:underline"
    >
      {word}
    </button>
  );
}

function Cause({ event, causeSeq, onOpen }: { event: EventBody; causeSeq: Seq | null; onOpen: (seq: Seq) => void }) {
  if (event.cause === null) return <span className="text-faint">a person, or time</span>;
  if (causeSeq === null) return <code>{event.cause}</code>;
  return (
    <button type="button" className="text-accent underline-offset-2 hover:underline" onClick={() => onOpen(causeSeq)}>
      Seq {count(causeSeq)}
    </button>
  );
}

function CopyLink({ seq }: { seq: Seq }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    const link = new URL(window.location.href);
    link.searchParams.set("seq", String(seq));
    await navigator.clipboard?.writeText(link.href);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <IconButton
      size="small"
      label={isCopied ? "Copied" : "Copy a link to this event"}
      icon={<Link2 size={14} aria-hidden />}
      onClick={() => void copy()}
    />
  );
}
