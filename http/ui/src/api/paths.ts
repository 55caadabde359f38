// Which address answers with what, out of the API's OpenAPI document: an address that is not there, or an answer read
// as something else, does not compile.
import type { paths as Paths } from "./schema";

/** `/runs/{run}/compare` as an address is typed: `/runs/${string}/compare`. */
type Filled<P extends string> = P extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Filled<After>}`
  : P;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** The path of the document that an address was made of. */
type Template<P extends string> = {
  [K in keyof Paths & string]: Same<P, Filled<K>> extends true ? K : never;
}[keyof Paths & string];

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Operation<M extends Method, P extends string> =
  Template<P> extends infer K extends keyof Paths ? Paths[K][Lowercase<M> & keyof Paths[K]] : never;

type Good = 200 | 201;
type Json<R> = R extends { content: { "application/json": infer Body } } ? Body : never;
type JsonOf<O> = O extends { responses: infer R } ? { [S in Good & keyof R]: Json<R[S]> }[Good & keyof R] : never;
/** What is answered; nothing when the answer has no body. */
export type Answer<P extends string, M extends Method = "GET"> = [JsonOf<Operation<M, P>>] extends [never]
  ? undefined
  : JsonOf<Operation<M, P>>;

/** What is sent; nothing when a request has no body. */
export type Body<P extends string, M extends Method> =
  Operation<M, P> extends { requestBody?: infer R }
    ? NonNullable<R> extends { content: { "application/json": infer Sent } }
      ? Sent
      : undefined
    : undefined;

/** Addresses that answer with JSON. */
export type JsonPath<P extends string> = [JsonOf<Operation<"GET", P>>] extends [never] ? never : P;
/** Addresses that are there for that method. */
export type PathOf<M extends Method, P extends string> = [Operation<M, P>] extends [never] ? never : P;
