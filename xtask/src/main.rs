//! `cargo xtask …`: the demo, the tests, the page, the benchmarks. Knows the product only by its commands.

mod bench;
mod command;
mod demo;
mod image;
mod schemas;
mod test;
mod ui;

use std::process::ExitCode;

const USAGE: &str = "\
usage:
  cargo xtask demo [--sandbox host]     build with the page, run the whole job, print a link to the comparison;
                                        --stop leaves no server running
  cargo xtask test                      everything; what needs something missing is skipped with the reason
  cargo xtask test api                  only that: what the API answers to everything its document allows
  cargo xtask schemas                   write schemas/ anew from the types
  cargo xtask ui                        build the page (needs Node and npm), for the next cargo build
  cargo xtask image [--again]           make the image of Docker sandboxes, unless the engine has it (needs root)
  cargo xtask bench dispatch [--quick]  the dispatch benchmarks, with peers in the same run
  cargo xtask bench gateway [ingest]    frames of a gateway made durable, and what the door costs; ingest is the first alone
  cargo xtask bench http [--quick]      the server's benchmarks: live clients and views, with a bare server beside it
  cargo xtask bench log                 the log benchmarks
  cargo xtask bench sandboxes           containers beside docker run (needs an engine and cargo xtask image), and
                                        a hundred sandboxes of a fake vendor
  cargo xtask bench sandboxes kills     the server killed 200 times while eight attempts run in containers, and at each fake
                                        vendor; [--rounds N] [--provider docker|e2b|daytona]
  cargo xtask bench page                how soon the compare page of a long run is of use, in Chromium";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["demo", rest @ ..] => demo::run(rest),
        ["test"] => test::run(),
        ["test", "api"] => test::run_api(),
        ["schemas"] => schemas::run(),
        ["ui"] => ui::run(),
        ["image"] => image::run(false),
        ["image", "--again"] => image::run(true),
        ["bench", rest @ ..] => bench::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}
