import { expect, test } from "vitest";
import type { LeftRow } from "@/api/types";
import { standing } from "./standing";

const row: LeftRow = {
  attempt: "7q2k9x0m.b",
  title: "fix it",
  ended_at_us: 1,
  patch_bytes: 2_048,
  artifacts_bytes: 0,
  workspace_bytes: 0,
  alone_bytes: 1_024,
  place: "here",
  stays: null,
  archive: null,
  failure: null,
};
const archive = { path: "cleaned/7q2k9x0m.b.tar.zst", bytes: 300, blake3: "ab" };

test.each([
  [{}, "may go, frees 1.0 KiB", "accent"],
  [{ stays: "it won" }, "it won", "calm"],
  [{ place: "archiving", stays: "it is being worked on" }, "being cleaned", "busy"],
  [{ place: "removing", stays: "it is being worked on", archive }, "being cleaned", "busy"],
  [{ place: "archived", stays: "it was cleaned already", archive }, "cleaned, 300 B archive", "calm"],
  [{ place: "returning", stays: "it is being worked on", archive }, "being put back", "busy"],
  [{ place: "forgetting", stays: "it is being worked on", archive }, "its archive is being removed", "busy"],
] as const)("%o reads %s", (change, word, tone) => {
  expect(standing({ ...row, ...change })).toMatchObject({ word, tone });
});
