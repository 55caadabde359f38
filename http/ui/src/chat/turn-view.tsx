// One turn: what was asked, what the agent said and did, and how it ended.
import { Pencil } from "lucide-react";
import type { Tool, Turn } from "@/api/types";
import { dollars, short } from "@/format/numbers";
import { lasted, moment, timeOfDay } from "@/format/time";
import { IconButton } from "@/parts/button";
import { classes } from "@/parts/classes";
import { StateBadge } from "@/parts/state";
import { tailOf } from "./hearing";
import { INJECTED } from "./history";
import { blocks, PHASES, TURNS } from "./looks";
import { ToolCard } from "./tool-card";

type Props = {
  turn: Turn;
  isUnrecorded: boolean;
  isForgotten: boolean;
  phase: string | undefined;
  /** Absent where nobody may ask again. */
  onEdit: (() => void) | undefined;
};

export function TurnView({ turn, isUnrecorded, isForgotten, phase, onEdit }: Props) {
  const inParts = new Set(turn.parts.flatMap((part) => (part.type === "tool" ? [part.call] : [])));
  const tools = new Map(turn.tools.map((tool) => [tool.call, tool]));
  const tail = tailOf(turn);
  return (
    <article
      aria-label={`Turn ${turn.run}`}
      className={classes("flex flex-col gap-2", isForgotten && "border-line-strong border-l-2 pl-3")}
    >
      {turn.prompt !== null && (
        <div className="group flex items-start justify-end gap-1">
          {onEdit && (
            <IconButton
              size="small"
              label="Edit and ask again"
              className="md:opacity-0 md:group-focus-within:opacity-100 md:group-hover:opacity-100"
              icon={<Pencil size={13} aria-hidden />}
              onClick={onEdit}
            />
          )}
          <div className="min-w-0 max-w-[85%] whitespace-pre-wrap break-words rounded-md bg-raised px-3 py-2">
            <bdi>{turn.prompt}</bdi>
          </div>
        </div>
      )}
      {turn.parts.map((part, at) =>
        part.type === "text" ? <Said key={at} text={part.text} /> : <Done key={at} tool={tools.get(part.call)} />,
      )}
      {turn.tools
        .filter((tool) => !inParts.has(tool.call))
        .map((tool) => (
          <ToolCard key={tool.call} tool={tool} />
        ))}
      {tail !== "" && <Said text={tail} />}
      {turn.addenda.map((added, at) => (
        <div key={at} className="border-line-strong border-l-2 pl-3">
          <p className="text-faint text-sm">said after it had ended</p>
          <Said text={added.text} />
        </div>
      ))}
      <Foot turn={turn} isUnrecorded={isUnrecorded} isForgotten={isForgotten} phase={phase} />
    </article>
  );
}

/** A tool of which only the call is known says so by its name alone. */
function Done({ tool }: { tool: Tool | undefined }) {
  return tool ? <ToolCard tool={tool} /> : <p className="text-faint">A tool was used; what it did was not heard.</p>;
}

function Said({ text }: { text: string }) {
  return (
    <div className="flex min-w-0 flex-col gap-2">
      {blocks(text).map((block, at) =>
        block.isCode ? (
          <pre
            key={at}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
            tabIndex={0}
            className="code overflow-x-auto rounded-md border border-line bg-sunken p-3"
          >
            {block.text}
          </pre>
        ) : (
          <p key={at} className="whitespace-pre-wrap break-words">
            <bdi>{block.text}</bdi>
          </p>
        ),
      )}
    </div>
  );
}

function Foot({ turn, isUnrecorded, isForgotten, phase }: Omit<Props, "onEdit">) {
  const { glyph, tone, word, moving } = TURNS[turn.state];
  const tokens = turn.input_tokens + turn.output_tokens;
  // A gateway also names itself as the model of what it kept of a turn that was stopped.
  const isPutIn = turn.model === INJECTED && turn.prompt === null;
  const took = turn.ended_at_us !== null && turn.ended_at_us > turn.started_at_us;
  return (
    <p className="flex flex-wrap items-center gap-x-3 text-faint text-sm">
      <StateBadge glyph={glyph} tone={tone} moving={moving}>
        {isPutIn ? "put in by a person" : (turn.state === "running" && phase && PHASES[phase]) || word}
      </StateBadge>
      {turn.reason && <span className="min-w-0 break-words text-soft">{turn.reason}</span>}
      {turn.started_at_us > 0 && (
        <span title={moment(turn.started_at_us)}>{timeOfDay(turn.started_at_us).slice(0, 8)}</span>
      )}
      {took && <span>{lasted(((turn.ended_at_us ?? 0) - turn.started_at_us) / 1_000)}</span>}
      {turn.model && turn.model !== INJECTED && <span>{turn.model}</span>}
      {tokens > 0 && (
        <span title="as the gateway tells">
          {short(tokens)} tokens{turn.cost_micros > 0 && `, ${dollars(turn.cost_micros)}`}
        </span>
      )}
      {turn.is_cut && <span className="text-warn">not all of it is kept here</span>}
      {isUnrecorded && !isPutIn && (
        <span title="it stands in the gateway's own transcript only">not recorded here</span>
      )}
      {isForgotten && (
        <span title="reset, compacted or taken back at the gateway">the agent does not see this any more</span>
      )}
    </p>
  );
}
