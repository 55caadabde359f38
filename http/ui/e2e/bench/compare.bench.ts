// What a person waits for when they open the compare page of a long run: 8 attempts, each with 50,000 pieces of output.
import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContext, expect, type Page, test } from "@playwright/test";
import { agent, replace, say } from "../harness/agents";
import { Install } from "../harness/install";
import { root } from "../harness/places";
import { grow } from "./grow";

const ATTEMPTS = 8;
const PIECES = Number(process.env.REGATTA_BENCH_PIECES ?? 50_000);
const ROUNDS = Number(process.env.REGATTA_BENCH_ROUNDS ?? 11);
/** What the issue asks for. */
const MUST_MS = 1_000;
/** Smooth: a picture at every other refresh of a usual screen, at the least. */
const FRAME_MUST_MS = 33;

type Row = { bench: string; round: number; view: string; useful_ms: number; first_paint_ms: number; columns: number };
type ScrollRow = { bench: string; round: number; frames_ms: number[] };

/** Makes the long run out of a real short one; its id. */
async function longRun(install: Install): Promise<string> {
  await install.start();
  const command = (at: number) =>
    agent(say("one"), replace("src/count.js", "text.toUpperCase()", `text.toUpperCase().padEnd(${at})`));
  const attempts = Array.from({ length: ATTEMPTS }, (_, at) => ({ command: command(at) }));
  const run = await install.finishedRun({ prompt: "A long run", attempts });
  await install.stop();
  const [short, long] = [join(install.folder, "short.jsonl"), join(install.folder, "long.jsonl")];
  await install.cli("log", "export", "-o", short);
  await grow(short, long, PIECES);
  const before = join(install.folder, "data-before");
  renameSync(install.data, before);
  await install.cli("log", "import", long);
  cpSync(join(before, "blobs"), join(install.data, "blobs"), { recursive: true });
  await install.start();
  return run;
}

/** Loads the page anew, with nothing in the cache, and tells when each column that is seen showed what was asked for. */
async function open(
  context: BrowserContext,
  url: string,
  wanted: string,
): Promise<[Page, Omit<Row, "bench" | "round" | "view">]> {
  const page = await context.newPage();
  await page.addInitScript((text) => {
    const look = () => {
      const columns = [...document.querySelectorAll("article")];
      const isReady = columns.length > 1 && columns.every((column) => column.textContent?.includes(text));
      // Two frames later it has been painted.
      if (isReady)
        requestAnimationFrame(() => requestAnimationFrame(() => Object.assign(window, { useful: performance.now() })));
      else requestAnimationFrame(look);
    };
    document.addEventListener("DOMContentLoaded", look);
  }, wanted);
  await page.goto(url);
  const useful = await page.waitForFunction(() => (window as { useful?: number }).useful, undefined, {
    timeout: 60_000,
  });
  const useful_ms = Number(await useful.jsonValue());
  const first_paint_ms = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  );
  return [page, { useful_ms, first_paint_ms, columns: await page.locator("article").count() }];
}

/** As much output as is scrolled through must be there: what comes first is little, the rest follows at once. */
const SCROLLED_PX = 120 * 120;

/** Scrolls a column up for a while, past where more is read, and all others with it; the times between frames, in milliseconds. */
async function scroll(page: Page): Promise<number[]> {
  await page.waitForFunction(
    (px) => [...document.querySelectorAll("article section")].every((box) => box.scrollHeight > px + box.clientHeight),
    SCROLLED_PX,
  );
  return await page.evaluate(async () => {
    const boxes = [...document.querySelectorAll<HTMLElement>("article section")];
    const before = boxes.map((box) => box.scrollHeight - box.scrollTop);
    const frames: number[] = [];
    let last = performance.now();
    for (let frame = 0; frame < 120; frame += 1) {
      if (boxes[0]) boxes[0].scrollTop -= 120;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      frames.push(now - last);
      last = now;
    }
    const still = boxes.filter((box, at) => box.scrollHeight - box.scrollTop < (before[at] ?? 0) + 120 * 100);
    if (still.length > 0) throw new Error(`${still.length} columns did not scroll along`);
    return frames;
  });
}

const at = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

test("compare", async ({ browser }) => {
  const install = new Install("bench-compare");
  try {
    const run = await longRun(install);
    const rows: Row[] = [];
    const scrolls: ScrollRow[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [view, wanted] of [
        ["output", `[${String(PIECES).padStart(6, "0")}]`],
        ["diff", "padEnd("],
      ] as const) {
        const context = await browser.newContext({ viewport: { width: 2640, height: 1080 } });
        await install.signIn(context, "viewer");
        const [page, times] = await open(context, `${install.url}/runs/${run}?view=${view}`, wanted);
        rows.push({ bench: "compare", round, view, ...times });
        if (view === "output") scrolls.push({ bench: "compare-scroll", round, frames_ms: await scroll(page) });
        await context.close();
      }
    }
    const folder = join(root, "benches/rows");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "page.jsonl"), [...rows, ...scrolls].map((row) => `${JSON.stringify(row)}\n`).join(""));
    for (const view of ["output", "diff"]) {
      const times = rows.filter((row) => row.view === view).map((row) => row.useful_ms);
      const paints = rows.filter((row) => row.view === view).map((row) => row.first_paint_ms);
      const text = [
        `compare, ${ATTEMPTS} attempts x ${PIECES} pieces of output, ${view}`,
        `useful paint p50 ${at(times, 0.5).toFixed(0)} ms, max ${Math.max(...times).toFixed(0)} ms`,
        `first paint p50 ${at(paints, 0.5).toFixed(0)} ms`,
        `${rows[0]?.columns} columns in sight, ${times.length} loads`,
      ].join("; ");
      console.log(text);
      expect(at(times, 0.5), text).toBeLessThanOrEqual(MUST_MS);
    }
    const frames = scrolls.flatMap((row) => row.frames_ms);
    const text = [
      `scrolling all columns, frame p50 ${at(frames, 0.5).toFixed(1)} ms`,
      `p95 ${at(frames, 0.95).toFixed(1)} ms`,
      `max ${Math.max(...frames).toFixed(1)} ms, ${frames.length} frames`,
    ].join(", ");
    console.log(text);
    expect(at(frames, 0.95), text).toBeLessThanOrEqual(FRAME_MUST_MS);
  } finally {
    await install.remove();
  }
});
