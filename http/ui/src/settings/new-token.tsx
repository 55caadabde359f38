// Making a token. Its secret exists on this page until the window is closed, and nowhere else.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, Copy } from "lucide-react";
import { type FormEvent, useState } from "react";
import { command } from "@/api/client";
import { useMe } from "@/api/me";
import type { Role } from "@/api/types";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { SelectField, TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

export const ROLES: { role: Role; about: string }[] = [
  { role: "viewer", about: "looks at everything, changes nothing" },
  { role: "operator", about: "starts and stops runs" },
  { role: "approver", about: "also says who won, and answers what agents ask" },
  { role: "admin", about: "also changes configuration, users and tokens" },
];

const DAY_S = 86_400;
const TERMS = [
  { name: "30 days", days: 30 },
  { name: "1 day", days: 1 },
  { name: "1 year", days: 365 },
  { name: "until it is revoked", days: undefined },
];

export function NewToken({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { data: me } = useMe();
  const [name, setName] = useState("");
  const [user, setUser] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [term, setTerm] = useState(0);
  const make = useMutation({
    mutationFn: () => {
      const days = TERMS[term]?.days;
      return command("POST", "/tokens", {
        name: name.trim(),
        user: user.trim() || me?.name,
        role,
        ...(days === undefined ? {} : { expires_in_s: days * DAY_S }),
      });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", "/tokens"] }),
  });
  if (make.data) return <Secret secret={make.data.token} onClose={onClose} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <Dialog title="New token" onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          required
          autoFocus
          value={name}
          onChange={(event) => setName(event.target.value)}
          hint="What it is for: laptop, CI, the dashboard"
        />
        <TextField label="User" placeholder={me?.name} value={user} onChange={(event) => setUser(event.target.value)} />
        <SelectField label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)}>
          {ROLES.map(({ role: known, about }) => (
            <option key={known} value={known}>
              {known}: {about}
            </option>
          ))}
        </SelectField>
        <SelectField label="Valid for" value={term} onChange={(event) => setTerm(Number(event.target.value))}>
          {TERMS.map(({ name: words }, index) => (
            <option key={words} value={index}>
              {words}
            </option>
          ))}
        </SelectField>
        {make.isError && <ProblemNotice error={make.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" disabled={name.trim() === "" || make.isPending}>
            Make the token
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(secret);
    setCopied(true);
  };
  return (
    <Dialog title="The token is made" onClose={onClose} foot={<Button onClick={onClose}>Done</Button>}>
      <p className="mb-3">This is the only time it is shown. Keep it where secrets are kept.</p>
      <div className="flex items-center gap-2 rounded-md border border-line-strong bg-sunken p-2">
        <code className="code min-w-0 flex-1 break-all" data-testid="secret">
          {secret}
        </code>
        <Button onClick={() => void copy()}>
          {isCopied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
          {isCopied ? "Copied" : "Copy"}
        </Button>
      </div>
    </Dialog>
  );
}
