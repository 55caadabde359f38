//! What test programs print, read line by line: the counts, the skipped tests with their reasons, and what failed. Pure.

/// What tests came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// A test that could not be run here, and why.
    pub(super) skipped: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend_from_slice(&other.skipped);
    }
}

/// The counts in a closing line: `3 passed, 0 failed, 1 skipped`, or vitest's `Tests  1 failed | 3 passed (4)`.
pub(super) fn counts(line: &str) -> Option<Tally> {
    let line = line.trim();
    let (is_vitest, counts) = line.strip_prefix("Tests ").map_or((false, line), |counts| (true, counts));
    let mut tally = Tally::default();
    let parts = counts.split_once(" (").map_or(counts, |(parts, _)| parts);
    for part in parts.split([',', '|']) {
        let (number, word) = part.trim().split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match word {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "skipped" if is_vitest || number == 0 => {}
            "skipped" => tally.skipped.push(format!("{number} browser tests")),
            _ => return None,
        }
    }
    Some(tally)
}

/// What a test prints when something it needs is missing.
const SKIPPED: &str = "skipped: ";

/// Reads one program's output.
pub(super) struct Reader {
    is_nextest: bool,
    /// The test whose output is being read.
    test: String,
    /// Whether that test passed, so that its output need not be shown.
    is_quiet: bool,
    /// Whether a list of failed tests is being repeated.
    in_summary: bool,
    tally: Tally,
}

impl Reader {
    pub(super) fn nextest() -> Self {
        Self { is_nextest: true, test: String::new(), is_quiet: false, in_summary: false, tally: Tally::default() }
    }

    pub(super) fn libtest() -> Self {
        Self { is_nextest: false, ..Self::nextest() }
    }

    pub(super) fn is_nextest(&self) -> bool {
        self.is_nextest
    }

    /// Takes a line; gives back what to show of it.
    pub(super) fn take(&mut self, line: String) -> Option<String> {
        if self.is_nextest { self.take_nextest(line) } else { self.take_libtest(line) }
    }

    /// Every skipped test had to pass, so it was counted twice.
    pub(super) fn finish(mut self) -> Tally {
        self.tally.passed = self.tally.passed.saturating_sub(self.tally.skipped.len() as u64);
        self.tally
    }

    fn take_nextest(&mut self, line: String) -> Option<String> {
        let status = line.trim_start().split_once(" [").map(|(status, _)| status.to_owned());
        let name = || line.rsplit_once(") ").map_or(line.trim(), |(_, name)| name).to_owned();
        match status.as_deref() {
            Some("PASS" | "LEAK") => {
                self.tally.passed += 1;
                (self.test, self.is_quiet) = (name(), true);
                None
            }
            Some("Summary") => {
                (self.is_quiet, self.in_summary) = (false, true);
                Some(line)
            }
            Some(status) if is_failure(status) && line.starts_with("  ") => {
                self.tally.failed += u64::from(!self.in_summary);
                (self.test, self.is_quiet) = (name(), false);
                Some(line)
            }
            Some("SLOW") => Some(line),
            _ => self.note_skip(line),
        }
    }

    fn take_libtest(&mut self, line: String) -> Option<String> {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let count = |name: &str| -> u64 {
                let before = counts.split_once(name).map_or("", |(before, _)| before).trim_end();
                before.rsplit([' ', '.']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
            };
            self.tally.passed += count("passed");
            self.tally.failed += count("failed");
            self.is_quiet = false;
            return Some(line);
        }
        if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.test = test.to_owned();
        }
        match line.as_str() {
            "successes:" => self.is_quiet = true,
            "failures:" => self.is_quiet = false,
            _ if line.starts_with("test ") && line.ends_with("... ok") => return None,
            _ => {}
        }
        self.note_skip(line)
    }

    fn note_skip(&mut self, line: String) -> Option<String> {
        if let Some(reason) = line.trim_start().strip_prefix(SKIPPED) {
            self.tally.skipped.push(format!("{}: {reason}", self.test));
        }
        (!self.is_quiet).then_some(line)
    }
}

fn is_failure(status: &str) -> bool {
    matches!(status, "FAIL" | "TIMEOUT" | "LEAK-FAIL" | "SIGABRT" | "SIGSEGV" | "SIGKILL" | "ABORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut reader: Reader, output: &str, passed: u64, failed: u64, skipped: &[&str], shown: &[&str]) {
        let lines: Vec<String> = output.lines().filter_map(|line| reader.take(line.to_owned())).collect();
        let skipped = skipped.iter().map(|reason| (*reason).to_owned()).collect();
        assert_eq!(reader.finish(), Tally { passed, failed, skipped });
        for line in shown {
            assert!(lines.iter().any(|shown| shown.contains(line)), "{line:?} is not in {lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.contains("quiet")), "{lines:#?}");
    }

    #[test]
    fn nextest_is_counted_once_and_skips_are_named() {
        let output = "\
────────────
    Starting 3 tests across 1 binary
        PASS [   0.005s] (1/3) core::it log::works
  stdout ───

    quiet talk
        PASS [   0.005s] (2/3) core::it log::needs
  stdout ───

    skipped: no docker
        FAIL [   0.006s] (3/3) core::it log::breaks
  stdout ───

    loud reason
────────────
     Summary [   0.095s] 3 tests run: 2 passed, 1 failed, 0 skipped
        FAIL [   0.006s] (3/3) core::it log::breaks";
        check(Reader::nextest(), output, 1, 1, &["core::it log::needs: no docker"], &["loud reason", "Summary"]);
    }

    #[test]
    fn closing_lines_are_read_and_other_lines_are_not() {
        let tally = |passed, failed| Some(Tally { passed, failed, skipped: vec![] });
        for (line, expected) in [
            ("21 passed, 1 failed, 0 skipped", tally(21, 1)),
            ("      Tests  2 failed | 12 passed (14)", tally(12, 2)),
            ("      Tests  12 passed (12)", tally(12, 0)),
            (" Test Files  3 passed (3)", None),
            ("a test passed, another failed", None),
            ("", None),
        ] {
            assert_eq!(counts(line), expected, "{line:?}");
        }
    }

    #[test]
    fn libtest_is_counted_and_skips_are_named() {
        let output = "\
running 3 tests
test log::works ... ok
test log::needs ... ok
test log::breaks ... FAILED

successes:

---- log::needs stdout ----
skipped: no docker
quiet

failures:

---- log::breaks stdout ----
loud reason

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.46s
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.46s";
        check(Reader::libtest(), output, 4, 1, &["log::needs: no docker"], &["loud reason", "FAILED. 2 passed"]);
    }
}
