// What attempts left, those that take most first: whether it may go, why not, and the way back of what was cleaned.
import { useState } from "react";
import { command } from "@/api/client";
import type { Disk, LeftRow } from "@/api/types";
import { ActDialog } from "@/compare/pick/act-dialog";
import { bytes, count } from "@/format/numbers";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";
import { StateBadge } from "@/parts/state";
import { useMay } from "@/replay/may";
import { AttemptLink } from "../attempt-link";
import { standing } from "./standing";

const HEAD = "px-4 py-1.5 text-left font-normal text-faint text-sm";
const CELL = "px-4 py-1.5 align-top whitespace-nowrap";

export function LeftTable({ disk }: { disk: Disk }) {
  const { rows, rows_left_out } = disk.left;
  if (rows.length === 0) {
    return (
      <p className="rounded-md border border-line bg-surface px-4 py-3 text-soft">
        No attempt has left anything yet. Their patches and artifacts are listed here, with what may go.
      </p>
    );
  }
  return (
    <>
      <div className="overflow-x-auto rounded-md border border-line bg-surface">
        <table className="w-full">
          <thead className="border-line border-b">
            <tr>
              <th className={HEAD}>attempt</th>
              <th className={`${HEAD} max-md:hidden`}>task</th>
              <th className={HEAD}>ended</th>
              <th className={HEAD}>patch</th>
              <th className={HEAD}>artifacts</th>
              <th className={`${HEAD} max-md:hidden`}>workspace</th>
              <th className={HEAD}>state</th>
              <td className={HEAD} />
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {rows.map((row) => (
              <Row key={row.attempt} row={row} />
            ))}
          </tbody>
        </table>
      </div>
      {rows_left_out > 0 && (
        <p className="text-faint">
          {count(rows_left_out)} more that take less: <code className="code">regatta disk --limit 1000</code>
        </p>
      )}
    </>
  );
}

function Row({ row }: { row: LeftRow }) {
  const now = useNow();
  const { attempt, title, ended_at_us, patch_bytes, artifacts_bytes, workspace_bytes } = row;
  return (
    <tr>
      <td className={CELL}>
        <AttemptLink attempt={attempt} />
      </td>
      <td className={`${CELL} max-w-56 truncate max-md:hidden`} title={title}>
        {title}
      </td>
      <td className={CELL} title={ended_at_us === null ? undefined : moment(ended_at_us)}>
        {ended_at_us === null ? "–" : ago(now - ended_at_us / 1_000)}
      </td>
      <Size value={patch_bytes} />
      <Size value={artifacts_bytes} />
      <Size value={workspace_bytes} className="max-md:hidden" />
      <td className={`${CELL} max-w-80 whitespace-normal!`}>
        <Standing row={row} />
      </td>
      <td className={`${CELL} text-right`}>{row.place === "archived" && <Ways row={row} />}</td>
    </tr>
  );
}

function Size({ value, className }: { value: number; className?: string }) {
  return (
    <td className={classes(CELL, className)}>{value === 0 ? <span className="text-faint">–</span> : bytes(value)}</td>
  );
}

function Standing({ row }: { row: LeftRow }) {
  const { glyph, tone, word, about } = standing(row);
  return (
    <>
      <StateBadge glyph={glyph} tone={tone} {...(about === undefined ? {} : { title: about })}>
        {word}
      </StateBadge>
      {row.failure !== null && <p className="break-words text-bad text-sm">the last try failed: {row.failure}</p>}
    </>
  );
}

/** The ways out of an archive: back, or for good. */
function Ways({ row }: { row: LeftRow }) {
  const mayRestore = useMay("clean");
  const mayForget = useMay("forget");
  const [asked, setAsked] = useState<"restore" | "forget">();
  const close = () => setAsked(undefined);
  return (
    <span className="inline-flex gap-2">
      {mayRestore && (
        <Button size="small" onClick={() => setAsked("restore")} aria-label={`Restore ${row.attempt}`}>
          Restore
        </Button>
      )}
      {mayForget && (
        <Button size="small" look="danger" onClick={() => setAsked("forget")} aria-label={`Forget ${row.attempt}`}>
          Forget
        </Button>
      )}
      {asked === "restore" && <RestoreDialog row={row} onClose={close} />}
      {asked === "forget" && <ForgetDialog row={row} onClose={close} />}
    </span>
  );
}

type DialogProps = { row: LeftRow; onClose: () => void };

function RestoreDialog({ row, onClose }: DialogProps) {
  const { attempt, archive, patch_bytes, artifacts_bytes } = row;
  return (
    <ActDialog
      title={`Put back what ${attempt} left`}
      act="Restore"
      takesReason={false}
      consequences={[
        <>
          Its patch and artifacts, {bytes(patch_bytes + artifacts_bytes)}, come out of{" "}
          <code className="code break-all">{archive?.path}</code>; each is checked by its hash.
        </>,
        <>Then it can be looked at and picked as before, and the archive is removed.</>,
      ]}
      onAct={(_, key) => command("POST", "/disk/restore", { attempts: [attempt] }, { key })}
      onClose={onClose}
    />
  );
}

function ForgetDialog({ row, onClose }: DialogProps) {
  const { attempt, archive } = row;
  return (
    <ActDialog
      title={`Forget what ${attempt} left`}
      act="Remove it for good"
      isDanger
      takesReason={false}
      consequences={[
        <>
          The archive <code className="code break-all">{archive?.path}</code> is removed.
        </>,
        <span key="gone" className="text-warn">
          Its patch and artifacts cannot be had back after that, by anybody.
        </span>,
        <>What it printed, how it ended and which files it changed stays in the log.</>,
      ]}
      onAct={(_, key) => command("POST", "/disk/forget", { attempts: [attempt] }, { key })}
      onClose={onClose}
    />
  );
}
