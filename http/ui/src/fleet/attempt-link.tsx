// An attempt by name, and the way to its column.
import { Link } from "@tanstack/react-router";

export function AttemptLink({ attempt }: { attempt: string }) {
  const run = attempt.split(".")[0] ?? attempt;
  return (
    <Link
      to="/runs/$run"
      params={{ run }}
      className="code underline decoration-line-strong underline-offset-2 hover:decoration-current"
    >
      {attempt}
    </Link>
  );
}
