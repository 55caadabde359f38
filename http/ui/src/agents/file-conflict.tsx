// Two versions of a file: the one that is written, and the one somebody was writing here meanwhile.
import type { AgentFile } from "@/gateways/answers";
import { Button } from "@/parts/button";
import type { Draft } from "./draft";

type Props = {
  file: AgentFile;
  draft: Draft;
  onChange: (text: string) => void;
  onKeepMine: () => void;
  onTakeTheirs: () => void;
  isSaving: boolean;
};

const BOX = "code min-h-80 w-full flex-1 resize-y rounded-md border border-line-strong p-3";

export function FileConflict({ file, draft, onChange, onKeepMine, onTakeTheirs, isSaving }: Props) {
  return (
    <section aria-label="Two versions" className="flex min-h-0 flex-1 flex-col gap-3 p-4">
      <p role="alert" className="rounded-md bg-warn-wash px-3 py-2">
        {file.name} was changed at the gateway since you began. Nothing was overwritten: take over what you need, then
        choose.
      </p>
      <div className="grid min-h-0 flex-1 gap-3 lg:grid-cols-2">
        <div className="flex flex-col gap-1">
          <h3 className="font-medium">As it is written now</h3>
          <textarea
            aria-label="As it is written now"
            readOnly
            value={file.content ?? ""}
            placeholder="It is not there any more."
            className={`${BOX} bg-sunken`}
          />
        </div>
        <div className="flex flex-col gap-1">
          <h3 className="font-medium">Yours</h3>
          <textarea
            aria-label="Yours"
            spellCheck={false}
            value={draft.text}
            onChange={(event) => onChange(event.target.value)}
            className={`${BOX} bg-surface focus:border-accent`}
          />
        </div>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button look="danger" disabled={isSaving} onClick={onKeepMine}>
          {isSaving ? "Saving…" : "Write mine over it"}
        </Button>
        <Button disabled={isSaving} onClick={onTakeTheirs}>
          Take theirs, drop mine
        </Button>
      </div>
    </section>
  );
}
