// The code of a page that was not needed before. While the server is gone it is waited for: the router would load the
// page anew, and the browser show its own error in place of what was read.
import { getJson } from "@/api/client";

/** How often it is tried again. */
const AGAIN_MS = 1_000;

export async function codeOf<T>(load: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await load();
    } catch (error) {
      // The server is there: it has another page by now, which is to be loaded.
      if (await isThere()) throw error;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

async function isThere(): Promise<boolean> {
  return await getJson("/health").then(
    () => true,
    () => false,
  );
}
