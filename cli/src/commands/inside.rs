//! What runs inside a sandbox, by hidden names. Reached before the command line is read, so that it starts at once.

use std::process::ExitCode;

/// Runs the command inside a sandbox that this process was started for, when it was.
pub(crate) fn dispatch() -> Option<ExitCode> {
    regatta_sandboxes::runner::answer(std::env::args_os())
}
