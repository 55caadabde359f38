import { expect, test } from "vitest";
import { captured } from "./captured";
import { connect, greetingOf, readFrame } from "./frames";

test("every captured frame is read", () => {
  for (const name of ["tool-call-turn", "chat-abort", "errors-rpc", "handshake-backend-no-device"]) {
    for (const text of captured(name)) expect(readFrame(text), text.slice(0, 80)).toBeDefined();
  }
});

test("a captured refusal keeps its code and details", () => {
  const refused = captured("errors-rpc")
    .map(readFrame)
    .find((frame) => frame?.type === "res" && !frame.ok);
  expect(refused).toMatchObject({
    type: "res",
    ok: false,
    error: { code: expect.any(String), message: expect.any(String) },
  });
});

test("what is no frame is none", () => {
  for (const text of ["", "x", "[]", "null", "7", "{}", `{"type":"res","id":7}`, `{"type":"event"}`]) {
    expect(readFrame(text), text).toBeUndefined();
  }
  expect(readFrame(`{"type":"res","id":"a","ok":false}`)).toMatchObject({ ok: false, error: { code: "UNAVAILABLE" } });
  expect(readFrame(`{"type":"event","event":"tick","payload":7}`)).toMatchObject({ payload: {} });
});

test("a captured greeting says what may be called", () => {
  const greeting = captured("handshake-backend-no-device")
    .map(readFrame)
    .flatMap((frame) => (frame?.type === "res" && frame.ok ? [greetingOf(frame.payload)] : []))
    .find((found) => found !== undefined);
  expect(greeting?.features.methods).toContain("chat.send");
  expect(greetingOf({ type: "hello-ok", protocol: 5 })).toBeUndefined();
});

test("asking to be let in brings no secret", () => {
  expect(JSON.parse(connect("1")).params).not.toHaveProperty("auth");
  expect(JSON.parse(connect("1")).params).not.toHaveProperty("device");
});
