// One line per test while they run, and a closing line that `cargo xtask test` reads: `N passed, N failed, N skipped`.
import type { FullResult, Reporter, TestCase, TestError, TestResult } from "@playwright/test/reporter";

const GLYPHS = { passed: "ok  ", failed: "FAIL", timedOut: "FAIL", interrupted: "FAIL", skipped: "skip" } as const;

export default class implements Reporter {
  private passed = 0;
  private failed = 0;
  private skipped = 0;

  onTestEnd(test: TestCase, result: TestResult) {
    const [, , file, ...titles] = test.titlePath();
    console.log(
      `${GLYPHS[result.status]} ${(result.duration / 1000).toFixed(1).padStart(5)} s  ${file}: ${titles.join(" ")}`,
    );
    if (result.status === "passed") this.passed += 1;
    else if (result.status === "skipped") this.skipped += 1;
    else {
      this.failed += 1;
      for (const error of result.errors) console.log(error.stack ?? error.message ?? error.value);
      for (const attachment of result.attachments) {
        if (attachment.path) console.log(`     ${attachment.name}: ${attachment.path}`);
      }
    }
  }

  /** Something outside of a test, as a file that cannot be read. */
  onError(error: TestError) {
    this.failed += 1;
    console.log(error.stack ?? error.message ?? error.value);
  }

  onEnd(result: FullResult) {
    // What never began did not pass.
    if (result.status !== "passed" && this.failed === 0) this.failed = 1;
    console.log(`${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`);
  }

  printsToStdio() {
    return true;
  }
}
