//! The one door to standard output and standard error. Data goes to standard output, everything else to standard
//! error; text from outside passes [`escape`] before a person sees it.

pub(crate) mod escape;
pub(crate) mod numbers;
pub(crate) mod paint;
pub(crate) mod patch;
pub(crate) mod progress;
pub(crate) mod table;

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failure::{Exit, Failure};
use paint::Paint;

/// Columns when nobody says how wide the terminal is.
const WIDTH_DEFAULT: usize = 100;

/// Where a command writes.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Whether `--json` was given.
    pub(crate) json: bool,
    /// Whether nothing is said beside the data.
    is_quiet: bool,
    /// Whether standard output is a terminal.
    pub(crate) is_terminal: bool,
    /// Whether standard error is one: progress bars are drawn there.
    pub(crate) has_progress: bool,
    /// Colours of standard output.
    pub(crate) paint: Paint,
    paint_errors: Paint,
    /// Columns of standard output.
    pub(crate) width: usize,
}

impl Terminal {
    /// Looks at what standard output and standard error are.
    pub(crate) fn detect(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let measured = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        Self {
            json,
            is_quiet: false,
            is_terminal: out,
            has_progress: err && !json,
            paint: Paint(out && !plain),
            paint_errors: Paint(err && !plain),
            width: columns.or(measured).unwrap_or(WIDTH_DEFAULT).max(40),
        }
    }

    /// A pipe that is so wide.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        let plain = Paint(false);
        let has_progress = false;
        Self { json: false, is_quiet: true, is_terminal: false, has_progress, paint: plain, paint_errors: plain, width }
    }

    /// The same, but silent beside the data.
    pub(crate) fn quiet(&self) -> Self {
        Self { is_quiet: true, ..self.clone() }
    }

    /// Prints lines of data. The caller has escaped what came from outside.
    pub(crate) fn out(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        written(writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()))
    }

    /// Prints bytes as they are: for a pipe, never for a person.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        written(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// Prints one value as one line of JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::caused("failed to write JSON", &error))?;
        self.out(text)
    }

    /// Says something to the person, beside the data.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if self.is_quiet {
            return;
        }
        // There is nobody to tell when standard error is closed.
        writeln!(io::stderr(), "{}", text.as_ref()).ok();
    }

    /// Tells what was done: to the person, or with `--json` as data.
    pub(crate) fn done(&self, text: impl AsRef<str>, data: &serde_json::Value) -> Result<(), Failure> {
        if self.json {
            return self.json(data);
        }
        self.note(text);
        Ok(())
    }

    /// Says why the command failed and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        self.note(format!("{}: {}", self.paint_errors.bad("error"), escape::line(&failure.message)));
        if let Some(hint) = &failure.hint {
            self.note(format!("{}: {}", self.paint_errors.good("hint"), escape::line(hint)));
        }
    }
}

/// Whoever read our output may have had enough; that is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::new(Exit::Done, "")
        } else {
            Failure::caused("failed to write to standard output", &error)
        }
    })
}
