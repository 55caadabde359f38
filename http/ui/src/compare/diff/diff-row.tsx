// One row of a diff: a file's head, a hunk's head, a line.

import { ChevronDown, ChevronRight, Minus, Plus } from "lucide-react";
import { memo } from "react";
import { seen } from "@/format/unseen";
import { classes } from "@/parts/classes";
import type { Span } from "./highlight";
import type { DiffLine, FileDiff, Hunk } from "./patch";
import { isGenerated, type DiffRow as Row } from "./rows";

export type TakeHunk = {
  isTaken: (path: string, hunk: number | undefined) => boolean;
  toggle: (path: string, hunk: number | undefined) => void;
};

type Props = {
  row: Row;
  spans: Span[] | undefined;
  take: TakeHunk | undefined;
  onToggle: (path: string) => void;
  onHunk: (row: Row) => void;
};

export function DiffRow({ row, spans, take, onToggle, onHunk }: Props) {
  if (row.kind === "file")
    return <FileRow file={row.file} isOpen={row.isOpen} onToggle={() => onToggle(row.file.path)} />;
  if (row.kind === "note") return <NoteRow file={row.file} text={row.text} take={take} />;
  if (row.kind === "hunk") return <HunkRow file={row.file} hunk={row.hunk} take={take} onGo={() => onHunk(row)} />;
  return <Line line={row.line} spans={spans} isTaken={take?.isTaken(row.file.path, row.hunk.index) ?? false} />;
}

const CHANGES = { changed: "", added: "new", deleted: "deleted", renamed: "renamed" };

function FileRow({ file, isOpen, onToggle }: { file: FileDiff; isOpen: boolean; onToggle: () => void }) {
  const Chevron = isOpen ? ChevronDown : ChevronRight;
  return (
    <button
      type="button"
      onClick={onToggle}
      aria-expanded={isOpen}
      title={file.path}
      className="flex h-8 w-full items-center gap-1.5 border-line border-y bg-raised px-2 text-left font-sans text-base"
    >
      <Chevron size={14} aria-hidden className="shrink-0 text-faint" />
      <PathText path={file.path} />
      <span className="ml-auto flex shrink-0 gap-2 text-sm">
        {CHANGES[file.change] && <span className="text-soft">{CHANGES[file.change]}</span>}
        {isGenerated(file.path) && !isOpen && <span className="text-faint">written by a tool, closed</span>}
        <span className="text-good">+{file.added}</span>
        <span className="text-bad">−{file.removed}</span>
      </span>
    </button>
  );
}

/** Characters at the end of a long name that are always shown: there names differ, and there is what kind it is. */
const NAME_TAIL = 10;

/** A path whose end stays readable when there is little room. */
export function PathText({ path: raw }: { path: string }) {
  const path = seen(raw).replaceAll("\n", "‹U+000A›");
  const slash = path.lastIndexOf("/") + 1;
  const name = Array.from(path.slice(slash));
  const tail = name.length > NAME_TAIL * 2 ? NAME_TAIL : 0;
  return (
    <span className="flex min-w-0" dir="ltr">
      <span className="shrink-[1000] truncate text-faint">{path.slice(0, slash)}</span>
      <span className="truncate whitespace-pre font-medium">{name.slice(0, name.length - tail).join("")}</span>
      {tail > 0 && <span className="shrink-0 whitespace-pre font-medium">{name.slice(-tail).join("")}</span>}
    </span>
  );
}

type HunkProps = { file: FileDiff; hunk: Hunk; take: TakeHunk | undefined; onGo: () => void };

function HunkRow({ file, hunk, take, onGo }: HunkProps) {
  const isTaken = take?.isTaken(file.path, hunk.index) ?? false;
  return (
    <div
      className={classes(
        "flex h-[26px] items-center gap-2 pr-2 pl-3 text-sm",
        isTaken ? "bg-accent-wash" : "bg-sunken",
      )}
    >
      <button
        type="button"
        onClick={onGo}
        title="bring the same place of the others into view"
        className="min-w-0 self-stretch truncate text-left font-mono text-faint hover:text-text"
      >
        line {hunk.newStart}
        {hunk.heading && <span className="ml-2 opacity-80">{hunk.heading}</span>}
      </button>
      {take && <TakeButton take={take} path={file.path} hunk={hunk.index} />}
    </div>
  );
}

/** A file without lines goes as a whole or not at all. */
function NoteRow({ file, text, take }: { file: FileDiff; text: string; take: TakeHunk | undefined }) {
  return (
    <div className="flex h-[26px] items-center gap-2 pr-2 pl-3 text-sm">
      <span className="truncate text-faint italic">{text}</span>
      {take && <TakeButton take={take} path={file.path} hunk={undefined} />}
    </div>
  );
}

function TakeButton({ take, path, hunk }: { take: TakeHunk; path: string; hunk: number | undefined }) {
  const isTaken = take.isTaken(path, hunk);
  const name = hunk === undefined ? path : `hunk ${hunk + 1} of ${path}`;
  const about = isTaken ? "out of the synthesis" : "into the synthesis";
  return (
    <button
      type="button"
      aria-pressed={isTaken}
      aria-label={`Take ${name} ${about}`}
      title={`take it ${about}`}
      onClick={() => take.toggle(path, hunk)}
      className={classes(
        "relative ml-auto flex h-5 shrink-0 items-center gap-1 rounded-sm border px-1.5 font-sans",
        // Its row is as high as a line; a finger finds it all the same.
        "max-md:after:absolute max-md:after:-inset-2.5",
        isTaken
          ? "border-accent bg-accent-fill text-accent-ink"
          : "border-line-strong text-soft hover:border-accent hover:text-accent",
      )}
    >
      {isTaken ? <Minus size={11} aria-hidden /> : <Plus size={11} aria-hidden />}
      {isTaken ? "taken" : "take"}
    </button>
  );
}

const LINES = {
  same: { row: "", mark: " ", number: "text-faint" },
  added: { row: "bg-good-wash", mark: "+", number: "text-good" },
  removed: { row: "bg-bad-wash", mark: "−", number: "text-bad" },
};

const Line = memo(function Line({
  line,
  spans,
  isTaken,
}: {
  line: DiffLine;
  spans: Span[] | undefined;
  isTaken: boolean;
}) {
  const look = LINES[line.kind];
  return (
    <div
      className={classes(
        "flex h-[19px] w-max min-w-full whitespace-pre",
        look.row,
        isTaken && line.kind !== "same" && "shadow-[inset_2px_0_0_var(--accent)]",
      )}
    >
      <span className={classes("sticky left-0 w-11 shrink-0 select-none pr-2 text-right", look.number)}>
        {line.newLine ?? line.oldLine}
      </span>
      <span aria-hidden className={classes("w-4 shrink-0 select-none", look.number)}>
        {look.mark}
      </span>
      <span className="pr-4">
        {spans?.length
          ? spans.map((span, index) => (
              <span key={index} className={span.name && `hl-${span.name}`}>
                {seen(span.text)}
              </span>
            ))
          : seen(line.text)}
        {line.endsOpen && (
          <span className="text-faint" title="no line break at the end of the file">
            {" "}
            ⌀
          </span>
        )}
      </span>
    </div>
  );
});
