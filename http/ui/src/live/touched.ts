// Which views an event puts out of date. Pure.
import type { EventBody } from "@/api/types";

/** The run a stream belongs to, by its name. */
export function runOf(stream: string): string | undefined {
  const slash = stream.indexOf("/");
  if (slash < 0) return undefined;
  const family = stream.slice(0, slash);
  const rest = stream.slice(slash + 1);
  if (family === "run" || family === "delivery" || family === "cleaning") return rest;
  if (family === "attempt" || family === "output") return rest.split(".")[0];
  if (family === "sandbox") return rest.split("-")[2];
  return undefined;
}

/** Beginnings of the paths of views that may have changed. */
export function touchedBy(event: Pick<EventBody, "stream" | "kind">): string[] {
  const run = runOf(event.stream);
  const family = event.kind.split(".")[0] ?? "";
  const paths = ["/timeline"];
  if (run) paths.push("/runs", `/attempts/${run}.`, "/fleet", "/limits");
  // The disk is measured for each look: only when something was left, or may go now.
  if (["run", "delivery", "cleaning"].includes(family)) paths.push("/disk");
  if (event.kind === "attempt.finished") paths.push("/usage");
  if (run) return paths;
  if (family === "gateway" || family === "approval") return [...paths, "/gateways", "/approvals", "/threads"];
  if (family === "config") return [...paths, "/config", "/doctor", "/me"];
  return [...paths, "/tokens", "/users", "/me", "/fleet"];
}
