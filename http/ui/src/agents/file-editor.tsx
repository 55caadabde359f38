// A file of an agent, read and written. What somebody else wrote meanwhile is never overwritten unseen: both are shown.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { type AgentFile, fileOf } from "@/gateways/answers";
import { callGateway, readOf, useRead } from "@/gateways/use-reads";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { type Draft, keepDraft, keptDraft } from "./draft";
import { FileConflict } from "./file-conflict";

type Props = { gateway: string; agent: string; name: string };

export function FileEditor({ gateway, agent, name }: Props) {
  const { data, error, isPending, refetch } = useRead(gateway, "agents.files.get", { agentId: agent, name }, fileOf);
  if (isPending) return <SkeletonRows rows={6} />;
  if (error) return <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />;
  if (!data) return <p className="p-4 text-soft">The gateway did not show {name}.</p>;
  return <Editor gateway={gateway} agent={agent} file={{ ...data, name }} />;
}

function Editor({ gateway, agent, file }: { gateway: string; agent: string; file: AgentFile }) {
  const now = useNow();
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft | undefined>(() => keptDraft(gateway, agent, file.name));
  const mayWrite = useMay("agents");
  const written = file.content ?? "";
  const text = draft?.text ?? written;
  const isChanged = draft !== undefined && draft.text !== written;
  const isOther = isChanged && draft.base !== file.hash;
  const change = (next: Draft | undefined) => {
    const kept = next && next.text === written ? undefined : next;
    setDraft(kept);
    keepDraft(gateway, agent, file.name, kept);
  };
  const look = () =>
    client.fetchQuery({
      ...readOf(gateway, "agents.files.get", { agentId: agent, name: file.name }, fileOf),
      staleTime: 0,
    });
  const save = useMutation({
    mutationFn: async (wanted: Draft) => {
      // A file that was not there has no hash that the gateway could compare.
      const there = wanted.base === undefined ? fileOf(await look()) : undefined;
      if (there?.hash !== undefined) return;
      const expected = wanted.base === undefined ? {} : { expectedHash: wanted.base };
      await callGateway(gateway, "agents.files.set", {
        agentId: agent,
        name: file.name,
        content: wanted.text,
        ...expected,
      });
      change(undefined);
    },
    // Also when it was refused: somebody else may have been faster, and then both are shown.
    onSettled: () => client.invalidateQueries({ queryKey: ["view", `/gateways/${gateway}/read`] }),
  });
  const mayNow = mayWrite && isChanged && !isOther && !save.isPending;
  useShortcuts("The file", [
    { keys: "mod+s", about: "Save the file", whileTyping: true, run: () => mayNow && draft && save.mutate(draft) },
  ]);
  if (isOther) {
    return (
      <FileConflict
        file={file}
        draft={draft}
        onChange={(mine) => change({ ...draft, text: mine })}
        onKeepMine={() => save.mutate({ text: draft.text, base: file.hash })}
        onTakeTheirs={() => change(undefined)}
        isSaving={save.isPending}
      />
    );
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-2 p-4">
      <textarea
        aria-label={`Content of ${file.name}`}
        readOnly={!mayWrite}
        spellCheck={false}
        value={text}
        placeholder={file.isMissing ? "It is not there yet; what you save makes it." : "It is empty."}
        onChange={(event) => {
          save.reset();
          change({ text: event.target.value, base: draft?.base ?? file.hash });
        }}
        className="code min-h-96 w-full flex-1 resize-y rounded-md border border-line-strong bg-surface p-3 read-only:bg-sunken focus:border-accent"
      />
      <div className="flex flex-wrap items-center gap-3">
        {mayWrite && (
          <>
            <Button look="primary" disabled={!mayNow} onClick={() => draft && save.mutate(draft)}>
              {save.isPending ? "Saving…" : "Save"}
            </Button>
            <Button disabled={!isChanged} onClick={() => change(undefined)}>
              Discard the change
            </Button>
          </>
        )}
        <span className="text-faint">
          {mayWrite
            ? isChanged
              ? "Not saved; it is kept in this browser."
              : save.isSuccess
                ? "Saved."
                : ""
            : "Admins may change it."}
        </span>
        {file.updatedAtMs !== undefined && (
          <span className="ml-auto text-faint text-sm" title={moment(file.updatedAtMs * 1_000)}>
            written {ago(now - file.updatedAtMs)}
          </span>
        )}
      </div>
      {save.isError && <ProblemNotice error={save.error} />}
    </div>
  );
}
