// One conversation out of three tellings: turns that Regatta recorded, the gateway's own transcript, and what is being said
// this moment. Pure.
import type { Turn } from "@/api/types";
import { type Hearing, withHeard } from "./hearing";
import { INJECTED, type Told } from "./history";
import { emptyTurn } from "./turn";

export type Entry =
  | {
      sort: "turn";
      turn: Turn;
      /** Only in the gateway's transcript: it was before Regatta listened, or somebody put it in. */
      isUnrecorded: boolean;
      /** Recorded, and the agent does not see it any more: reset, compacted or taken back. */
      isForgotten: boolean;
      /** The transcript's entry with the question; where one goes back to before asking again. */
      entry: string | undefined;
    }
  | { sort: "mark"; mark: string; atMs: number };

export type Transcribed = { told: readonly Told[]; hasMore: boolean; readAtMs: number } | undefined;

/** A turn may stand in the transcript a little after its end is heard. */
const WRITTEN_MS = 3_000;

export function conversation(recorded: readonly Turn[], transcript: Transcribed, hearing: Hearing): Entry[] {
  const told = transcript?.told ?? [];
  const entries = new Map(told.flatMap((one) => (one.sort === "turn" ? [[one.turn.run, one.entry] as const] : [])));
  const known = new Set(recorded.map((turn) => turn.run));
  const firstToldUs = Math.min(...told.map(atUs));
  const putIn = told.flatMap((one) => (one.sort === "turn" && one.turn.model === INJECTED ? [one.turn.text] : []));
  // What somebody put in is told as an end of a turn that never began, too; the transcript says what it is.
  const isPutIn = (turn: Turn) => turn.prompt === null && turn.tools.length === 0 && putIn.includes(turn.text);
  const own = recorded
    .filter((turn) => !isPutIn(turn))
    .map((turn): Entry => {
      const isGoingOn = turn.state === "running" || turn.state === "waiting";
      const wouldBeTold = transcript !== undefined && (!transcript.hasMore || turn.started_at_us >= firstToldUs);
      const isOver = !isGoingOn && (turn.ended_at_us ?? 0) / 1_000 + WRITTEN_MS < (transcript?.readAtMs ?? 0);
      const isForgotten = wouldBeTold && isOver && turn.prompt !== null && !entries.has(turn.run);
      return {
        sort: "turn",
        turn: withHeard(turn, hearing),
        isUnrecorded: false,
        isForgotten,
        entry: entries.get(turn.run),
      };
    });
  const others = told.flatMap((one): Entry[] => {
    if (one.sort === "mark") return [one];
    if (known.has(one.turn.run)) return [];
    return [{ sort: "turn", turn: one.turn, isUnrecorded: true, isForgotten: false, entry: one.entry }];
  });
  const begun = [...hearing.texts].flatMap(([run, text]): Entry[] =>
    known.has(run) || entries.has(run) ? [] : [fresh(run, text)],
  );
  return [...[...own, ...others].toSorted((a, b) => atUs(a) - atUs(b)), ...begun];
}

/** A turn that was heard of before it could be read. */
function fresh(run: string, text: string): Entry {
  const turn: Turn = { ...emptyTurn(run), text };
  return { sort: "turn", turn, isUnrecorded: false, isForgotten: false, entry: undefined };
}

function atUs(one: Told | Entry): number {
  return one.sort === "turn" ? one.turn.started_at_us : one.atMs * 1_000;
}
