// Users and their roles.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { command } from "@/api/client";
import type { Role, User } from "@/api/types";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { bareField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { ROLES } from "./new-token";

export function Users() {
  const { data, error, isPending, refetch } = useView("/users", {}, { timeless: true });
  const mayChange = useMay("users");
  if (isPending) return <SkeletonRows />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex flex-col gap-4">
      {mayChange && <NewUser />}
      <div className="divide-y divide-line rounded-md border border-line bg-surface">
        {(data ?? []).map((user) => (
          <UserRow key={user.name} user={user} mayChange={mayChange} />
        ))}
        {(data ?? []).length === 0 && (
          <p className="px-4 py-3 text-soft">Nobody but whoever owns the data directory.</p>
        )}
      </div>
      <dl className="grid grid-cols-[6rem_1fr] gap-y-1 text-soft">
        {ROLES.map(({ role, about }) => (
          <div key={role} className="contents">
            <dt className="font-medium">{role}</dt>
            <dd>{about}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function UserRow({ user, mayChange }: { user: User; mayChange: boolean }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (role: Role) => command("PATCH", `/users/${encodeURIComponent(user.name)}`, { role }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", "/users"] }),
  });
  const remove = useMutation({
    mutationFn: () => command("DELETE", `/users/${encodeURIComponent(user.name)}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ["view", "/users"] }),
  });
  const [isSure, setSure] = useState(false);
  const problem = change.error ?? remove.error;
  return (
    <div className="flex flex-wrap items-center gap-4 px-4 py-2">
      <span className="flex-1 font-medium">{user.name}</span>
      {mayChange ? (
        <RoleSelect label={`Role of ${user.name}`} value={user.role} onChange={(role) => change.mutate(role)} />
      ) : (
        <span className="text-soft">{user.role}</span>
      )}
      {mayChange && (
        <Button
          size="small"
          look="danger"
          title="Their tokens and sessions end with it"
          onClick={() => (isSure ? remove.mutate() : setSure(true))}
          onBlur={() => setSure(false)}
          aria-label={`Remove ${user.name}`}
        >
          {isSure ? "Really remove" : "Remove"}
        </Button>
      )}
      {problem && <ProblemNotice className="w-full" error={problem} />}
    </div>
  );
}

function NewUser() {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const add = useMutation({
    mutationFn: () => command("POST", "/users", { name: name.trim(), role }),
    onSuccess: async () => {
      setName("");
      await client.invalidateQueries({ queryKey: ["view", "/users"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2">
      <input
        aria-label="Name of a new user"
        placeholder="name of a new user"
        value={name}
        onChange={(event) => setName(event.target.value)}
        className={bareField("!w-56")}
      />
      <RoleSelect label="Role of the new user" value={role} onChange={setRole} />
      <Button type="submit" look="primary" disabled={name.trim() === "" || add.isPending}>
        Add
      </Button>
      {add.isError && <ProblemNotice className="w-full" error={add.error} />}
    </form>
  );
}

function RoleSelect({ label, value, onChange }: { label: string; value: Role; onChange: (role: Role) => void }) {
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.target.value as Role)}
      className={bareField("!w-32")}
    >
      {ROLES.map(({ role }) => (
        <option key={role}>{role}</option>
      ))}
    </select>
  );
}
