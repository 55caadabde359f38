//! `regatta`: races coding agents. This file is a table of contents.

mod args;
mod attempt_spec;
mod check_spec;
mod client;
mod commands;
mod config;
mod context;
mod failure;
mod follow;
mod moment;
mod nats;
mod render;
mod server;
mod suggest;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Inside a sandbox every millisecond is the agent's: no command line, no runtime, no logging.
    if let Some(code) = commands::inside::dispatch() {
        return code;
    }
    args::main().into()
}
