//! What runs inside a sandbox, by hidden names. Reached before the command line is read, so that it starts at once.

use std::process::ExitCode;

/// Runs the command inside a sandbox that this process was started for, when it was.
pub(crate) fn dispatch() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let _name = args.next()?;
    None
}
