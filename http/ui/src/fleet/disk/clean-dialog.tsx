// Asks what is to be cleaned, shows what would go, and says that an archive of each is made first, and where.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { command } from "@/api/client";
import type { LeftRow } from "@/api/types";
import { bytes, count, plural } from "@/format/numbers";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { SelectField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

const DAY_MS = 24 * 3_600_000;
const AGES = [
  { name: "at any time", ms: undefined },
  { name: "more than a week ago", ms: 7 * DAY_MS },
  { name: "more than 30 days ago", ms: 30 * DAY_MS },
  { name: "more than 90 days ago", ms: 90 * DAY_MS },
] as const;
/** As the server bounds one wish; what is more goes with the next one. */
const ATTEMPTS_MAX = 500;

export function CleanDialog({ onClose }: { onClose: () => void }) {
  const [age, setAge] = useState(0);
  const client = useQueryClient();
  // Until the age that is chosen was asked about, what is shown is that of another one and must not be cleaned.
  const { data, error, isPlaceholderData } = useView(
    "/disk",
    { older_than_ms: AGES[age]?.ms, for: "clean", limit: ATTEMPTS_MAX },
    { timeless: true, keep: true },
  );
  const going = data?.left.rows ?? [];
  const cleaning = useMutation({
    mutationFn: (attempts: string[]) => command("POST", "/disk/clean", { attempts }),
    onSuccess: async (answer) => {
      if (answer.rows.every((row) => row.refused === null)) onClose();
      await client.invalidateQueries({ queryKey: ["view"] });
    },
  });
  return (
    <Dialog
      title="Clean up"
      wide
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{cleaning.isSuccess ? "Close" : "Cancel"}</Button>
          <Button
            look="primary"
            disabled={isPlaceholderData || going.length === 0 || cleaning.isPending || cleaning.isSuccess}
            onClick={() => cleaning.mutate(going.map((row) => row.attempt))}
          >
            {cleaning.isPending ? "…" : `Clean ${plural(going.length, "attempt")}`}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <SelectField
          label="What attempts left that ended"
          value={age}
          disabled={cleaning.isPending || cleaning.isSuccess}
          onChange={(event) => setAge(Number(event.target.value))}
        >
          {AGES.map(({ name }, index) => (
            <option key={name} value={index}>
              {name}
            </option>
          ))}
        </SelectField>
        <ul className="flex flex-col gap-1.5">
          <Consequence>
            First an archive of each is written into <code className="code break-all">{data?.archives}</code>, read back
            and checked. Only then its patch and artifacts are removed.
          </Consequence>
          <Consequence>
            What won, what was delivered and what another attempt needs as well stays. The log keeps what happened.
          </Consequence>
          <Consequence>Each can be put back with Restore; until then it cannot be picked or compared.</Consequence>
        </ul>
        {error && <ProblemNotice error={error} />}
        {data && <Preview rows={going} freed={data.left.may_go.bytes} all={data.left.may_go.attempts} />}
        {cleaning.isError && <ProblemNotice error={cleaning.error} />}
        {cleaning.data?.rows
          .filter((row) => row.refused !== null)
          .map((row) => (
            <p key={row.attempt} className="text-warn">
              <code className="code">{row.attempt}</code>: {row.refused}
            </p>
          ))}
      </div>
    </Dialog>
  );
}

function Consequence({ children }: { children: React.ReactNode }) {
  return (
    <li className="flex gap-2">
      <span aria-hidden className="text-faint">
        →
      </span>
      <span className="min-w-0 break-words">{children}</span>
    </li>
  );
}

function Preview({ rows, freed, all }: { rows: LeftRow[]; freed: number; all: number }) {
  if (rows.length === 0) return <p className="text-soft">Nothing that ended then may go.</p>;
  return (
    <section aria-label="What would go">
      <p className="mb-1.5 font-medium">
        {plural(all, "attempt")}, {bytes(freed)}
        {all > rows.length && `; ${count(rows.length)} of them at once`}
      </p>
      <ul className="max-h-56 divide-y divide-line overflow-y-auto rounded-md border border-line">
        {rows.map((row) => (
          <li key={row.attempt} className="flex items-baseline gap-3 px-3 py-1">
            <code className="code shrink-0">{row.attempt}</code>
            <span className="min-w-0 flex-1 truncate text-soft">{row.title}</span>
            <span className="shrink-0">{bytes(row.patch_bytes + row.artifacts_bytes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
