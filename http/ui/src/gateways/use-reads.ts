// Reading of gateways: methods that only show something. Each page reads the same thing of several gateways at once, and
// one that is away does not hide the others.
import { queryOptions, useQueries, useQuery } from "@tanstack/react-query";
import { command, getJson } from "@/api/client";
import type { Gateway } from "@/api/types";
import { useView } from "@/live/use-view";

/** What can be read, as the server lets everybody who may look. */
export type Readable =
  | "agents.files.get"
  | "agents.files.list"
  | "agents.list"
  | "chat.history"
  | "commands.list"
  | "models.list"
  | "sessions.describe"
  | "sessions.list"
  | "usage.cost";

/** A gateway tells of changes, but not to this page: what is older is read again when it is looked at. */
const FRESH_MS = 15_000;

export function readOf<T>(gateway: string, method: Readable, params: object, read: (payload: unknown) => T) {
  const path = `/gateways/${encodeURIComponent(gateway)}/read` as const;
  const query = { method, params: JSON.stringify(params) };
  return queryOptions({
    queryKey: ["view", path, query, undefined],
    queryFn: async ({ signal }) => (await getJson(path, query, signal)).payload as unknown,
    select: read,
    staleTime: FRESH_MS,
    refetchOnWindowFocus: true,
  });
}

export function useRead<T>(
  gateway: string,
  method: Readable,
  params: object,
  read: (payload: unknown) => T,
  enabled = true,
) {
  return useQuery({ ...readOf(gateway, method, params, read), enabled });
}

export type ReadOfOne<T> = {
  gateway: string;
  data: T | undefined;
  error: Error | null;
  isPending: boolean;
  readAtMs: number;
};

/** The same of every gateway that is named. */
export function useReads<T>(
  gateways: readonly string[],
  method: Readable,
  params: object,
  read: (payload: unknown) => T,
): ReadOfOne<T>[] {
  const results = useQueries({ queries: gateways.map((gateway) => readOf(gateway, method, params, read)) });
  return results.map((result, at) => ({
    gateway: gateways[at] ?? "",
    data: result.data as T | undefined,
    error: result.error,
    isPending: result.isPending,
    readAtMs: result.dataUpdatedAt,
  }));
}

/** Has a method of a gateway called; it is recorded who did. */
export async function callGateway(gateway: string, method: string, params: object): Promise<unknown> {
  const answer = await command(
    "POST",
    `/gateways/${encodeURIComponent(gateway)}/call`,
    { method, params },
    { key: null },
  );
  return answer.payload;
}

/** Every gateway, with whether it can be asked now. */
export function useGateways(): { gateways: Gateway[] | undefined; error: Error | null; retry: () => void } {
  const { data, error, refetch } = useView("/gateways");
  return { gateways: data?.rows, error, retry: () => void refetch() };
}

export function isConnected(gateway: Gateway): boolean {
  return gateway.link?.state === "connected";
}
