//! How a command ends badly: an exit code, one sentence, and what to do. The one shape every error takes on its way
//! to the terminal.

use std::fmt;

use regatta_http::Problem;

/// How the process ends. Written into the help; scripts rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked; with `--wait`, the winner is delivered.
    Done = 0,
    /// With `--wait`: over, and there is no delivered winner. With `doctor`: something needs doing.
    NoWinner = 1,
    /// The command line or a configuration file is wrong.
    Usage = 2,
    /// Regatta refused what was asked.
    Refused = 3,
    /// The server, the disk or the network failed.
    Failed = 4,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends badly.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What failed, in one lower-case sentence without a full stop.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// What every command returns.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something failed underneath; its causes are told in one line.
    pub(crate) fn caused(what: impl fmt::Display, error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Failed, format!("{what}: {}", chain(error)))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error and its causes in one line; a cause that the text before it already tells is left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Conflicts told with a refusal; `--dry-run` tells all.
const CONFLICTS_TOLD_MAX: usize = 5;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = match problem.status {
            400 | 413 => Exit::Usage,
            401..=499 | 503 => Exit::Refused,
            _ => Exit::Failed,
        };
        let conflicts: Vec<String> =
            problem.conflicts.iter().take(CONFLICTS_TOLD_MAX).map(crate::commands::synthesize::told).collect();
        let colon = if conflicts.is_empty() { "" } else { ": " };
        Self { exit, message: format!("{}{colon}{}", problem.detail, conflicts.join("; ")), hint: problem.hint }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::caused("input or output failed", &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn causes_stand_in_one_line_and_none_is_told_twice() {
        let inner = Layer("disk is full", None);
        let middle = Layer("failed to write: disk is full", Some(Box::new(inner)));
        let outer = Layer("failed to keep the run", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "failed to keep the run: failed to write: disk is full");
    }
}
