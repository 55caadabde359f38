// Giving a secret a value, over a connection nobody can listen to. What is typed is kept nowhere on the page.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { command } from "@/api/client";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

export function NewSecret({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [name, setName] = useState("");
  const [repository, setRepository] = useState("");
  const save = useMutation({
    mutationFn: () => {
      const value = String(new FormData(form.current ?? undefined).get("value") ?? "");
      const scope = repository.trim() === "" ? undefined : { repositories: [repository.trim()] };
      return command("PUT", `/secrets/${encodeURIComponent(name.trim())}`, { value, scope });
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["view", "/secrets"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog title="New secret" onClose={onClose}>
      <form ref={form} onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          required
          autoFocus
          value={name}
          onChange={(event) => setName(event.target.value)}
          hint="As regatta.toml names it: openai"
        />
        <TextField
          label="Value"
          name="value"
          type="password"
          autoComplete="off"
          required
          hint="It is never shown again"
        />
        <TextField
          label="Repository"
          value={repository}
          onChange={(event) => setRepository(event.target.value)}
          hint="Whose runs may use it: a path on the server's machine"
        />
        {save.isError && <ProblemNotice error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={name.trim() === "" || save.isPending}>
            Keep it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
