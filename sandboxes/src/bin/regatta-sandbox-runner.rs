//! The runner as a program of its own: what `regatta sandbox-run` is, without the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    regatta_sandboxes::runner::answer(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
