//! The benchmark suite: what the issues ask for, measured on the real binary, with a peer in the same run.
//!
//! `cargo xtask bench dispatch` builds everything and calls this. Raw rows go to `benches/rows/`, the table to standard
//! output; `benches/README.md` keeps the last one looked at. Knows the product only by its command line.

mod agent;
mod dispatch;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "log")]
mod log;
#[cfg(any(feature = "gateway", feature = "http"))]
mod place;
mod rows;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

/// What a bench gives, or why it could not.
#[cfg(any(feature = "gateway", feature = "http", feature = "log"))]
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["agent", kind, rest @ ..] => agent::run(kind, rest),
        ["dispatch", regatta, rest @ ..] => dispatch::run(PathBuf::from(regatta), rest.contains(&"--quick")),
        #[cfg(feature = "gateway")]
        ["gateway", regatta, rest @ ..] => {
            gateway::run(std::path::Path::new(regatta), rest).map_err(|error| error as Box<dyn std::error::Error>)
        }
        #[cfg(feature = "log")]
        ["log", rest @ ..] => log::run(rest).map_err(|error| error as Box<dyn std::error::Error>),
        #[cfg(feature = "http")]
        ["http", regatta, rest @ ..] => {
            http::run(std::path::Path::new(regatta), rest).map_err(|error| error as Box<dyn std::error::Error>)
        }
        #[cfg(feature = "http")]
        ["http-peer"] => http::peer::run().map_err(|error| error as Box<dyn std::error::Error>),
        _ => {
            Err("usage: regatta-benches dispatch <path of regatta> [--quick], gateway <path of regatta> [PART …] [--quick], http <path of regatta> [PART …] [--quick], or log [PART …] [--quick] [--in FOLDER]"
                .into())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
