import { expect, test } from "vitest";
import { shortCommand } from "./who-tries";

test.each([
  ["node '/demo/programs/careful.mjs'", "careful.mjs"],
  ["./agents/fix.sh --fast", "fix.sh"],
  ["seq 5; echo h > x.txt", "seq 5; echo h > x.txt"],
  ["echo '<img src=x.png>'", "echo '<img src=x.png>'"],
  ["sed -i s/a/b/ src/count.js", "sed -i s/a/b/ src/count.js"],
  ["python3 -u tools/agent.py --model x", "agent.py"],
  ["", ""],
])("of a command its script is shown, or how it begins: %s", (command, shown) => {
  expect(shortCommand(command)).toBe(shown);
});
