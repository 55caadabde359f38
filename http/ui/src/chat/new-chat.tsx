// Beginning a conversation: with which agent of which gateway. The gateway makes the session when the first message comes.
import { type FormEvent, useState } from "react";
import { agentsOf } from "@/gateways/answers";
import { useReads } from "@/gateways/use-reads";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { SelectField, TextField } from "@/parts/field";

type Props = { gateways: readonly string[]; onBegin: (gateway: string, session: string) => void; onClose: () => void };

/** What a session may be called: it is part of a key that is split at colons. */
export function sessionKey(agent: string, name: string): string {
  const word = name
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return `agent:${agent}:${word}`;
}

export function NewChat({ gateways, onBegin, onClose }: Props) {
  const reads = useReads(gateways, "agents.list", {}, agentsOf);
  const choices = reads.flatMap(({ gateway, data }) => (data ?? []).map((agent) => ({ gateway, agent })));
  const [chosen, setChosen] = useState("");
  const [name, setName] = useState("");
  const choice = choices.find(({ gateway, agent }) => `${gateway} ${agent.id}` === chosen) ?? choices[0];
  const isNamed = /[a-z0-9]/i.test(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (choice && isNamed) onBegin(choice.gateway, sessionKey(choice.agent.id, name));
  };
  return (
    <Dialog title="New conversation" onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <SelectField label="Agent" value={chosen} onChange={(event) => setChosen(event.target.value)}>
          {choices.map(({ gateway, agent }) => (
            <option key={`${gateway} ${agent.id}`} value={`${gateway} ${agent.id}`}>
              {agent.name ?? agent.id} at {gateway}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Name"
          required
          maxLength={80}
          value={name}
          onChange={(event) => setName(event.target.value)}
          hint={
            choice && isNamed
              ? `The session will be ${sessionKey(choice.agent.id, name)}; one of that key goes on.`
              : "What it is about, in a word or two"
          }
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={!choice || !isNamed}>
            Begin
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
