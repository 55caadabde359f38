//! `regatta show`: one run, or one attempt with its diff, output or checks.

use http_body_util::BodyExt as _;
use regatta_core::Slot;
use regatta_core::event::attempt::Channel;
use regatta_http::Payload;
use regatta_projections::attempts::AttemptView;
use regatta_projections::compare::Comparison;
use regatta_projections::runs::RunView;

use super::{AttemptRef, Target};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::render;
use crate::terminal::escape::Decoder;
use crate::terminal::{Terminal, patch};

/// Show a run, or one attempt: its diff, its output, its checks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta show last
  regatta show last.b
  regatta show last.b --diff | git apply     (raw bytes when piped)
  regatta show last.b --output --follow
  regatta show last.b --checks")]
pub(crate) struct Args {
    /// A run, or an attempt
    #[arg(value_name = "RUN[.LETTER]")]
    target: Target,

    /// What the attempt changed, as git wrote it
    #[arg(long, group = "part")]
    diff: bool,

    /// What the agent printed, standard output and standard error as they came
    #[arg(long, group = "part")]
    output: bool,

    /// The checks, with the last each printed
    #[arg(long, group = "part")]
    checks: bool,

    /// With --output: only `out` or only `err`
    #[arg(long, requires = "output", value_parser = ["out", "err"])]
    channel: Option<String>,

    /// With --output: of `setup`, `agent` or `check-0`, `check-1`, …
    #[arg(long, requires = "output", default_value = "agent")]
    phase: String,

    /// With --output: go on until the attempt is over
    #[arg(long, short, requires = "output")]
    follow: bool,

    /// As it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "part")]
    as_of: Option<String>,
}

impl Args {
    /// What a command of an attempt printed.
    pub(super) fn output_of(attempt: AttemptRef, phase: String, follow: bool) -> Self {
        let AttemptRef { run, slot } = attempt;
        let target = Target { run, slot: Some(slot) };
        Self { target, diff: false, output: true, checks: false, channel: None, phase, follow, as_of: None }
    }
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let (terminal, client) = (&context.terminal, context.client());
    let slot = args.target.slot;
    let wants_part = args.diff || args.output || args.checks;
    block_on(async {
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
        match slot {
            Some(slot) => {
                let attempt = AttemptRef { run: args.target.run.clone(), slot };
                if args.diff {
                    diff(&client, &attempt, terminal).await
                } else if args.output {
                    output(&client, &attempt, &args, terminal).await
                } else {
                    let view: AttemptView = client.get(&format!("/attempts/{attempt}{as_of}")).await?;
                    one_attempt(&view, args.checks, terminal)
                }
            }
            None if wants_part => Err(Failure::usage("--diff, --output and --checks are of one attempt")
                .hint(format!("name it: regatta show {}.a --diff", args.target.run))),
            None => one_run(&client, &args.target, &as_of, terminal).await,
        }
    })?;
    Ok(Exit::Done)
}

async fn one_run(client: &Client, target: &Target, as_of: &str, terminal: &Terminal) -> Result<(), Failure> {
    let view: RunView = client.get(&format!("/runs/{}{as_of}", target.run)).await?;
    if terminal.json {
        return terminal.json(&view);
    }
    let comparison: Comparison = client.get(&format!("/runs/{}/compare{as_of}", view.row.id)).await?;
    terminal.out(render::run::run(&view, &comparison, super::now_us(), terminal))
}

fn one_attempt(view: &AttemptView, checks: bool, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return if checks { terminal.json(&view.checks) } else { terminal.json(view) };
    }
    if checks && view.checks.is_empty() {
        return terminal.out("this run has no checks");
    }
    terminal.out(if checks {
        render::attempt::checks(view, terminal)
    } else {
        render::attempt::attempt(view, terminal)
    })
}

/// Gets a patch whole, against the base or another attempt, within what a terminal is shown.
pub(super) async fn patch_of(client: &Client, attempt: &AttemptRef, against: Option<Slot>) -> Result<Vec<u8>, Failure> {
    let against = against.map_or(String::new(), |slot| format!("?against={slot}"));
    let mut body = client.get_bytes(&format!("/attempts/{attempt}/diff{against}")).await?.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
        if bytes.len() > patch::SHOWN_BYTES_MAX {
            return Err(Failure::new(Exit::Failed, format!("the patch of {attempt} is too large to be shown"))
                .hint(format!("put it into a file: regatta show {attempt} --diff > {attempt}.patch")));
        }
    }
    Ok(bytes)
}

async fn diff(client: &Client, attempt: &AttemptRef, terminal: &Terminal) -> Result<(), Failure> {
    if !terminal.is_terminal || terminal.json {
        return copy(client, &format!("/attempts/{attempt}/diff"), terminal).await;
    }
    let files = patch::read(&patch_of(client, attempt, None).await?);
    if files.is_empty() {
        terminal.note("it changed nothing");
    }
    for file in files {
        let is_wide = terminal.width >= patch::SPLIT_WIDTH_MIN;
        let text = if is_wide { file.split(terminal.width, terminal.paint) } else { file.unified(terminal.paint) };
        terminal.out(text)?;
    }
    Ok(())
}

/// Bytes from the server to standard output, as they are.
async fn copy(client: &Client, path: &str, terminal: &Terminal) -> Result<(), Failure> {
    let mut body = client.get_bytes(path).await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
        terminal.bytes(&frame.into_data().unwrap_or_default())?;
    }
    Ok(())
}

async fn output(client: &Client, attempt: &AttemptRef, args: &Args, terminal: &Terminal) -> Result<(), Failure> {
    if args.follow {
        return follow(client, attempt, args, terminal).await;
    }
    let channel = args.channel.as_ref().map_or(String::new(), |channel| format!("&channel={channel}"));
    let phase: String = form_urlencoded::byte_serialize(args.phase.as_bytes()).collect();
    let path = format!("/attempts/{attempt}/output?phase={phase}{channel}");
    if !terminal.is_terminal {
        return copy(client, &path, terminal).await;
    }
    let mut decoder = Decoder::default();
    let mut body = client.get_bytes(&path).await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
        terminal.bytes(decoder.push(&frame.into_data().unwrap_or_default()).as_bytes())?;
    }
    terminal.bytes(decoder.finish().as_bytes())
}

/// Output as it comes, from its beginning, until the attempt is over.
async fn follow(client: &Client, attempt: &AttemptRef, args: &Args, terminal: &Terminal) -> Result<(), Failure> {
    let view: AttemptView = client.get(&format!("/attempts/{attempt}")).await?;
    let (run, id) = (view.run, view.id);
    let mut events = client.events(format!("run={run}&from=1&kind=attempt.output,attempt.finished"));
    let (output, own) = (format!("output/{id}"), format!("attempt/{id}"));
    let mut decoder = Decoder::default();
    loop {
        let event = events.next().await?;
        if event.stream.as_str() == own && event.kind == "attempt.finished" {
            return terminal.bytes(decoder.finish().as_bytes());
        }
        let Payload::Output(piece) = &event.payload else { continue };
        let channel = match piece.channel {
            Channel::Out => "out",
            Channel::Err => "err",
        };
        let is_wanted = piece.phase.to_string() == args.phase && args.channel.as_deref().is_none_or(|c| c == channel);
        if event.stream.as_str() != output || !is_wanted {
            continue;
        }
        let bytes = piece.bytes().map_err(|reason| Failure::new(Exit::Failed, reason))?;
        if terminal.is_terminal {
            terminal.bytes(decoder.push(&bytes).as_bytes())?;
        } else {
            terminal.bytes(&bytes)?;
        }
    }
}
