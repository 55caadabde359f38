// Where things are: the workspace, the binary under test, the browser.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
export const target = process.env.CARGO_TARGET_DIR ?? resolve(root, "target");
export const binary = process.env.REGATTA_BIN ?? resolve(target, "debug/regatta");
export const chromium = process.env.REGATTA_CHROMIUM ?? "/usr/bin/chromium";
/** Where each run of the tests leaves a picture of each page. */
export const screens = resolve(target, "screens");
