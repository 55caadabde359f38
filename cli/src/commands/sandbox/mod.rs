//! `regatta sandbox`: the sandboxes there really are, and what a person may do with one.

mod exec;
mod list;

use std::str::FromStr;

use regatta_core::SandboxKey;
use regatta_dispatcher::sandboxes::Reaping;
use regatta_http::requests::{ForkMade, ForkRequest};
use regatta_projections::attempts::AttemptView;
use serde_json::json;

use super::{AttemptRef, show};
use crate::client::Client;
use crate::config::duration_ms;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::{bytes, counted};
use crate::terminal::{Terminal, escape};

/// See the sandboxes there are, go into one, take one away
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A sandbox is named by its own name or by its attempt, as last.b.

Examples:
  regatta sandbox ls
  regatta sandbox logs last.b --follow
  regatta sandbox exec last.b -- git status
  regatta sandbox fork last.b                 (docker, e2b)
  regatta sandbox rm last.b --force
  regatta sandbox reap")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(list::Args),
    Rm(Rm),
    Reap(Reap),
    Logs(Logs),
    Exec(exec::Args),
    Fork(Fork),
}

/// Remove a sandbox; its attempt's work that was not collected is lost
#[derive(Debug, clap::Args)]
struct Rm {
    /// Which: its name, or its attempt
    #[arg(value_name = "SANDBOX")]
    which: Which,
    /// Also when an attempt uses it: the attempt is cancelled, and the sandbox removed at once
    #[arg(long)]
    force: bool,
}

/// Remove every sandbox without a right to exist (each start of the server does)
#[derive(Debug, clap::Args)]
struct Reap {
    /// Also remove the images kept so that later sandboxes begin sooner (docker), of any installation; those needed again are
    /// made again
    #[arg(long)]
    images: bool,
}

/// Copy a sandbox in use, files alone, to look into in peace; only where the provider can (docker, e2b)
#[derive(Debug, clap::Args)]
struct Fork {
    /// Which: its name, or its attempt
    #[arg(value_name = "SANDBOX")]
    which: Which,
    /// The copy is removed after this long, as 30m; a day at most
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    time: String,
}

/// Print what the agent in a sandbox printed, from the log
#[derive(Debug, clap::Args)]
struct Logs {
    /// Which: its name, or its attempt
    #[arg(value_name = "SANDBOX")]
    which: Which,
    /// Of `setup`, `agent` or `check-0`, `check-1`, …
    #[arg(long, default_value = "agent")]
    phase: String,
    /// Go on until the attempt is over
    #[arg(long, short)]
    follow: bool,
}

/// A sandbox, by its name or by its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Key(SandboxKey),
    Of(AttemptRef),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("regatta-") {
            return text.parse().map(Self::Key).map_err(|error: regatta_core::id::InvalidId| error.to_string());
        }
        let wrong = |_| "a sandbox is named as `regatta sandbox ls` shows it, or by its attempt, as last.b".to_owned();
        text.parse().map(Self::Of).map_err(wrong)
    }
}

impl Which {
    /// Its name; that of an attempt is the one it has, or had last.
    async fn key(&self, client: &Client) -> Result<SandboxKey, Failure> {
        let attempt = match self {
            Self::Key(key) => return Ok(key.clone()),
            Self::Of(attempt) => attempt,
        };
        let view: AttemptView = client.get(&format!("/attempts/{attempt}")).await?;
        view.sandbox.ok_or_else(|| {
            Failure::new(Exit::Refused, format!("attempt {} has no sandbox yet", view.id))
                .hint("regatta fleet says what it waits for")
        })
    }

    /// The attempt it was made for.
    fn attempt(&self) -> Result<AttemptRef, Failure> {
        match self {
            Self::Of(attempt) => Ok(attempt.clone()),
            Self::Key(key) => key.attempt.to_string().parse().map_err(Failure::usage),
        }
    }
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Ls(args) => list::run(context, &args),
        Command::Rm(args) => remove(context, &args),
        Command::Reap(Reap { images }) => reap(context, images),
        Command::Logs(Logs { which, phase, follow }) => {
            show::run(context, show::Args::output_of(which.attempt()?, phase, follow))
        }
        Command::Exec(args) => exec::run(context, &args),
        Command::Fork(args) => fork(context, &args),
    }
}

fn remove(context: &Context, args: &Rm) -> Outcome {
    let key = block_on(async {
        let client = context.client();
        let key = args.which.key(&client).await?;
        client.delete(&format!("/sandboxes/{key}?force={}", args.force)).await?;
        Ok(key)
    })?;
    context.terminal.done(format!("removed {key}"), &json!({ "removed": key }))?;
    Ok(Exit::Done)
}

fn fork(context: &Context, args: &Fork) -> Outcome {
    let for_ms = time_ms("--for", &args.time)?;
    let made: ForkMade = block_on(async {
        let client = context.client();
        let key = args.which.key(&client).await?;
        client.create(&format!("/sandboxes/{key}/fork"), &ForkRequest { for_ms: Some(for_ms) }).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&made)?;
    } else {
        terminal.out(made.key.to_string())?;
        terminal
            .note(format!("look into it: regatta sandbox exec {} -- ls; it is removed after {}", made.key, args.time));
    }
    Ok(Exit::Done)
}

/// A time of a flag, in milliseconds.
fn time_ms(flag: &str, text: &str) -> Result<u64, Failure> {
    duration_ms(text).ok_or_else(|| Failure::usage(format!("{flag} {text:?} is no time")).hint("as 30s, 10m or 1h"))
}

fn reap(context: &Context, images: bool) -> Outcome {
    let path = format!("/sandboxes/reap?images={images}");
    let reaping: Reaping = block_on(context.client().create(&path, &json!({})))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&reaping)?;
    } else {
        for key in &reaping.removed {
            terminal.out(key.to_string())?;
        }
        if reaping.removed.is_empty() && reaping.unanswered.is_empty() {
            terminal.note("nothing was left behind");
        }
        if let Some(cleared) = &reaping.cleared {
            let (images, took) = (counted(cleared.images, "image"), bytes(cleared.bytes));
            terminal.note(format!("{images} removed, {took} or more free; those in use stay"));
        }
        unanswered(terminal, &reaping.unanswered);
    }
    Ok(Exit::Done)
}

/// Providers that did not answer may have more.
fn unanswered(terminal: &Terminal, unanswered: &[regatta_dispatcher::sandboxes::Unanswered]) {
    for silent in unanswered {
        terminal.note(format!("{} is not known: {}", silent.provider, escape::line(&silent.reason)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_named_by_itself_or_by_its_attempt() {
        let key = "regatta-abcd-7q2k9x0m-b-2";
        assert_eq!(
            key.parse::<Which>().map(|which| which.attempt().expect("attempt").to_string()),
            Ok("7q2k9x0m.b".into())
        );
        assert_eq!("last.b".parse::<Which>(), Ok(Which::Of("last.b".parse().expect("attempt"))));
        for wrong in ["", "last", "regatta-abcd", "../x", "sandbox-regatta-abcd-7q2k9x0m-b-2"] {
            assert!(wrong.parse::<Which>().is_err(), "{wrong}");
        }
    }
}
