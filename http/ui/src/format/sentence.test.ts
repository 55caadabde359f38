import { expect, test } from "vitest";
import { sentence } from "./sentence";

test.each([
  ["the server does not answer", "The server does not answer"],
  ["start it: regatta up", "Start it: regatta up"],
  ["it", "It"],
  ["/home/me/words is no git repository", "/home/me/words is no git repository"],
  ["regatta.toml does not parse", "regatta.toml does not parse"],
  ["regatta ls shows them", "regatta ls shows them"],
  ["src/count.js conflicts", "src/count.js conflicts"],
  ["wss://gate:18789 does not answer", "wss://gate:18789 does not answer"],
  ["limits.attempts must be a number", "limits.attempts must be a number"],
  ["7Q2 is over", "7Q2 is over"],
  ["", ""],
])("%s", (said, shown) => {
  expect(sentence(said)).toBe(shown);
});
