// How the browser tests run: Debian's Chromium, two files at once, no waiting that is not for something visible.
import { defineConfig } from "@playwright/test";
import { chromium, target } from "./harness/places";

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: `${target}/e2e`,
  // Each file has its own server; its tests share that server and run in order.
  fullyParallel: false,
  workers: 2,
  // A flaky test is a bug: it is shown, not tried again.
  retries: 0,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [["./harness/reporter.ts"]],
  use: {
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
    reducedMotion: "reduce",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: chromium,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
