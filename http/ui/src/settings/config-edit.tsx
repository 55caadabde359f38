// Changing one key. Whether the value fits, the server says.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { command } from "@/api/client";
import type { ConfigRow } from "@/api/types";
import { Button } from "@/parts/button";
import { bareField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

export function ConfigEdit({ row, onDone }: { row: ConfigRow; onDone: () => void }) {
  const client = useQueryClient();
  const [text, setText] = useState(written(row.after_restart ?? row.value));
  const save = useMutation({
    mutationFn: () => command("PUT", `/config/${row.key}`, { value: read(text, row) }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["view", "/config"] });
      await client.invalidateQueries({ queryKey: ["view", "/config/history"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <div className="flex gap-2">
        <input
          aria-label={row.key}
          // biome-ignore lint/a11y/noAutofocus: somebody has just asked to type here.
          autoFocus
          value={text}
          placeholder={written(row.default) || "unset"}
          onChange={(event) => setText(event.target.value)}
          className={bareField("code")}
        />
        <Button type="submit" look="primary" disabled={save.isPending}>
          Save
        </Button>
        <Button look="quiet" onClick={onDone}>
          Cancel
        </Button>
      </div>
      {save.isError && <ProblemNotice error={save.error} />}
    </form>
  );
}

function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return String(value);
}

/** What was typed, in the shape the key has now. */
function read(text: string, row: ConfigRow): unknown {
  const typed = text.trim();
  const model = row.value ?? row.default;
  if (Array.isArray(model)) return typed === "" ? [] : typed.split(",").map((part) => part.trim());
  if (typed === "") return null;
  if (typeof model === "boolean")
    return /^(true|on|yes)$/i.test(typed) ? true : /^(false|off|no)$/i.test(typed) ? false : typed;
  if ((typeof model === "number" || model == null) && /^-?\d+$/.test(typed)) return Number(typed);
  return typed;
}
