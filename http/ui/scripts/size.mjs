// Fails when what a browser must load before the first page is larger than promised. Lazy parts are listed, not counted.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** Promised in kB (1,000 bytes), gzip. */
const INITIAL_KB_MAX = 200;
const dist = new URL("../dist/app/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const size = (file) => gzipSync(readFileSync(new URL(file, dist))).length / 1_000;

const initial = new Set();
const visit = (name) => {
  const chunk = manifest[name];
  if (initial.has(chunk.file)) return;
  initial.add(chunk.file);
  for (const imported of chunk.imports ?? []) visit(imported);
};
for (const [name, chunk] of Object.entries(manifest)) if (chunk.isEntry) visit(name);

const scripts = [...new Set(Object.values(manifest).map((chunk) => chunk.file))].filter((file) => file.endsWith(".js"));
const lines = scripts.map((file) => ({ file, kb: size(file), lazy: !initial.has(file) }));
lines.sort((a, b) => Number(a.lazy) - Number(b.lazy) || b.kb - a.kb);
for (const { file, kb, lazy } of lines) {
  process.stdout.write(`${lazy ? "lazy   " : "initial"} ${kb.toFixed(1).padStart(7)} kB  ${file}\n`);
}
const total = lines.filter((line) => !line.lazy).reduce((sum, line) => sum + line.kb, 0);
process.stdout.write(`initial JavaScript: ${total.toFixed(1)} kB gzip, at most ${INITIAL_KB_MAX}\n`);
if (total > INITIAL_KB_MAX) {
  process.stderr.write("error: the initial JavaScript is too large: load heavy parts lazily\n");
  process.exit(1);
}
