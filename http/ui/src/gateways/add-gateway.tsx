// Adding a gateway. A token is taken where nobody can listen; elsewhere the command that takes it is shown.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { command } from "@/api/client";
import { Button } from "@/parts/button";
import { CommandLine } from "@/parts/command-line";
import { Dialog } from "@/parts/dialog";
import { TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

/** Whether what is typed here goes to the server encrypted. */
const isPrivate = () => window.location.protocol === "https:";

export function AddGateway({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const add = useMutation({
    mutationFn: () => {
      const token = String(new FormData(form.current ?? undefined).get("token") ?? "");
      const secret = token === "" ? {} : { token };
      return command("POST", "/gateways", { name: name.trim(), url: url.trim(), ...secret });
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["view", "/gateways"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title="Add a gateway" onClose={onClose}>
      <form ref={form} onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          required
          value={name}
          onChange={(event) => setName(event.target.value)}
          hint="What it is called here: a-z, 0-9 and -, as main"
        />
        <TextField
          label="Address"
          required
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          hint="Where it listens, as seen from the server: ws://127.0.0.1:18789 or wss://host"
        />
        {isPrivate() ? (
          <TextField
            label="Token"
            name="token"
            type="password"
            autoComplete="off"
            hint="gateway.auth.token in its openclaw.json; sealed, and never shown again"
          />
        ) : (
          <div className="flex flex-col gap-2 text-soft">
            <p>
              This connection is not encrypted, so no token is taken here. Nearly every gateway asks for one; on the
              server's machine:
            </p>
            <CommandLine command={`regatta gateway add ${name || "main"} ${url || "127.0.0.1:18789"} --token-stdin`} />
          </div>
        )}
        {add.isError && <ProblemNotice error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={name.trim() === "" || url.trim() === "" || add.isPending}>
            {add.isPending ? "Connecting…" : "Add it"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
