// Requests to the API. Knows nothing of queries, pages or who is asking.
import type { Answer, Body, JsonPath, Method, PathOf } from "./paths";
import { ProblemError, problemFrom, unreachable } from "./problem";

const BASE = "/api/v1";

export type Params = Record<string, string | number | boolean | undefined | null>;

/** Path and query of a request; parameters that are not there are left out. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** Called when the server says that nobody is signed in. */
type SignedOut = () => void;
let onSignedOut: SignedOut = () => undefined;

export function whenSignedOut(act: SignedOut): void {
  onSignedOut = act;
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError(unreachable());
  }
  if (response.ok) return response;
  const problem = await problemFrom(response);
  if (response.status === 401) onSignedOut();
  throw new ProblemError(problem);
}

export async function getJson<P extends string>(
  path: JsonPath<P>,
  params?: Params,
  signal?: AbortSignal,
): Promise<Answer<P>> {
  const response = await send(address(path, params), { signal: signal ?? null });
  return (await response.json()) as Answer<P>;
}

export async function getText<P extends string>(
  path: PathOf<"GET", P>,
  params?: Params,
  signal?: AbortSignal,
): Promise<string> {
  const response = await send(address(path, params), { signal: signal ?? null });
  return await response.text();
}

/**
 * A command. The key makes it safe to send again: the same key returns the first answer. Where nobody can keep one, it is
 * `null` and none is sent.
 */
export async function command<M extends Exclude<Method, "GET">, P extends string>(
  method: M,
  path: PathOf<M, P>,
  body?: Body<P, M>,
  options: { params?: Params; key?: string | null } = {},
): Promise<Answer<P, M>> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method === "POST" && options.key !== null) headers["idempotency-key"] = options.key ?? freshKey();
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await send(address(path, options.params), init);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as Answer<P, M>;
}

/** A key nobody used before. Works without TLS too, where `randomUUID` is not there. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
