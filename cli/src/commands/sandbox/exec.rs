//! `regatta sandbox exec`: a command of one's own in the sandbox of an attempt under way, seen as it prints.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::BodyExt as _;
use regatta_core::event::attempt;
use regatta_http::requests::{ExecPiece, ExecRequest};

use super::Which;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::render::words;
use crate::terminal::escape::Decoder;
use crate::terminal::{Terminal, escape};

/// Longest line of the answer; a piece of output has at most 256 KiB.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Run a command in the sandbox of an attempt under way; the log says that you did
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It runs in the workspace, without the run's secrets and with nothing on its standard input. What it
changes there is the attempt's from then on. Exits with 0 when the command does, else with 1.

Examples:
  regatta sandbox exec last.b -- git status
  regatta sandbox exec last.b --timeout 1h -- sh -c 'make test 2>&1 | tail'")]
pub(super) struct Args {
    /// Which: its name, or its attempt
    #[arg(value_name = "SANDBOX")]
    which: Which,
    /// How long it may run, as 30s or 10m; an hour at most
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: String,
    /// Program and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let timeout_ms = super::time_ms("--timeout", &args.timeout)?;
    let terminal = &context.terminal;
    let exit = block_on(async {
        let client = context.client();
        let key = args.which.key(&client).await?;
        let request = ExecRequest { argv: args.command.clone(), timeout_ms: Some(timeout_ms) };
        let mut body = client.post_bytes(&format!("/sandboxes/{key}/exec"), &request).await?.into_body();
        let (mut out, mut err) = (Printed::default(), Printed::default());
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
            rest.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let piece = read(&line)?;
                if terminal.json {
                    terminal.json(&piece)?;
                } else {
                    out.tell(piece.out.as_deref(), terminal.is_terminal, |bytes| terminal.bytes(bytes))?;
                    err.tell(piece.err.as_deref(), terminal.has_progress, |bytes| {
                        // There is nobody to tell when standard error is closed.
                        std::io::stderr().write_all(bytes).ok();
                        Ok(())
                    })?;
                }
                if let Some(exit) = piece.exit {
                    return Ok(exit);
                }
            }
            if rest.len() > LINE_BYTES_MAX {
                return Err(unclear("a line of it is too long"));
            }
        }
        Err(Failure::new(Exit::Failed, "the server ended before the command did")
            .hint("regatta sandbox ls shows whether the sandbox is still there"))
    })?;
    Ok(told(&exit, terminal))
}

fn read(line: &[u8]) -> Result<ExecPiece, Failure> {
    serde_json::from_slice(line).map_err(|error| unclear(&error.to_string()))
}

fn unclear(why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the server's answer is not what is expected: {why}")).hint(
        "server and command line may be of different versions; restart the server: regatta down && regatta up --detach",
    )
}

/// How it ended; said when that is not as one hopes.
fn told(exit: &attempt::Exit, terminal: &Terminal) -> Exit {
    if exit.is_success() {
        return Exit::Done;
    }
    terminal.note(escape::line(&words::exit(exit)));
    Exit::NoWinner
}

/// One of the two channels: a person is shown it without what could drive their terminal, a pipe gets the bytes.
#[derive(Default)]
struct Printed(Decoder);

impl Printed {
    fn tell(
        &mut self,
        piece: Option<&str>,
        is_terminal: bool,
        print: impl FnOnce(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(piece) = piece else { return Ok(()) };
        let bytes = BASE64.decode(piece).map_err(|error| unclear(&error.to_string()))?;
        if is_terminal { print(self.0.push(&bytes).as_bytes()) } else { print(&bytes) }
    }
}
