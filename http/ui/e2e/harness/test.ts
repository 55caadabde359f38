// The test everybody uses: a page that fails the test when something on it was executed or broke that should not have,
// and `installed()`, which gives a file its own server.
import { basename } from "node:path";
import { type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import { Install, type Role } from "./install";

/** What must never happen on a page. */
export class Watch {
  readonly seen: string[] = [];

  constructor(context: BrowserContext) {
    context.on("dialog", (dialog) => {
      this.seen.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    context.on("weberror", (error) =>
      this.seen.push(`an error nobody caught: ${error.error().stack ?? error.error()}`),
    );
    context.on("console", (message) => {
      const text = message.text();
      if (/Content.Security.Policy|violates the following/i.test(text))
        this.seen.push(`a violation of the CSP: ${text}`);
    });
  }
}

interface Fixtures {
  /** Watches every page of the test, and fails it at its end. */
  watch: Watch;
  /** A browser of its own for somebody else. */
  somebody: (install: Install, role: Role, name?: string) => Promise<Page>;
}

export const test = base.extend<Fixtures>({
  watch: [
    async ({ context }, use) => {
      const watch = new Watch(context);
      await use(watch);
      expect(watch.seen).toEqual([]);
    },
    { auto: true },
  ],
  somebody: async ({ browser }, use) => {
    const contexts: BrowserContext[] = [];
    const watches: Watch[] = [];
    await use(async (install, role, name) => {
      const context = await browser.newContext({ baseURL: install.url });
      contexts.push(context);
      watches.push(new Watch(context));
      await install.signIn(context, role, name);
      return await context.newPage();
    });
    for (const context of contexts) await context.close();
    expect(watches.flatMap((watch) => watch.seen)).toEqual([]);
  },
});

/** Gives the file an installation of its own, with its server running, for as long as its tests run. */
export function installed(environment: NodeJS.ProcessEnv = {}): () => Install {
  let install: Install | undefined;
  test.beforeAll(async ({}, info) => {
    install = new Install(basename(info.file, ".spec.ts"), environment);
    await install.start();
  });
  test.afterEach(async ({}, info) => {
    if (install && info.status !== info.expectedStatus) await info.attach("server log", { path: install.log });
  });
  test.afterAll(async () => await install?.remove());
  return () => {
    if (!install) throw new Error("there is no installation outside of a test");
    return install;
  };
}

export { expect };
