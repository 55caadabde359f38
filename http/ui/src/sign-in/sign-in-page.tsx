// Signing in with a token. The one-time link that the server prints does the same without typing.
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { command } from "@/api/client";
import { live } from "@/live/live";
import { Button } from "@/parts/button";
import { CommandLine } from "@/parts/command-line";
import { TextField } from "@/parts/field";
import { ProblemNotice } from "@/parts/problem-notice";

/** Only a path of this page: a link must not lead elsewhere after signing in. */
export function safeNext(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}

export default function SignInPage() {
  const [token, setToken] = useState("");
  const { next }: { next?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const signIn = useMutation({
    mutationFn: () => command("POST", "/session", { token: token.trim() }),
    onSuccess: () => {
      live.signedIn();
      void navigate({ href: safeNext(next), replace: true });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <main className="grid h-full place-items-center overflow-y-auto p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-md border border-line bg-surface p-6">
        <div className="mb-5 flex items-center gap-2">
          <img src="/favicon.svg" alt="" width={24} height={24} />
          <h1 className="font-semibold text-xl">Sign in to Regatta</h1>
        </div>
        <TextField
          label="Token"
          type="password"
          autoComplete="current-password"
          autoFocus
          required
          value={token}
          onChange={(event) => setToken(event.target.value)}
          hint="It is exchanged for a session of this browser and not kept in the page."
        />
        {signIn.isError && <ProblemNotice className="mt-3" error={signIn.error} />}
        <Button type="submit" look="primary" className="mt-4 w-full" disabled={token.trim() === "" || signIn.isPending}>
          {signIn.isPending ? "Signing in…" : "Sign in"}
        </Button>
        <div className="mt-5 border-line border-t pt-4 text-soft">
          <p className="mb-2">No token? On the machine where the server runs, this makes a link that signs you in:</p>
          <CommandLine command="regatta open" />
        </div>
      </form>
    </main>
  );
}
