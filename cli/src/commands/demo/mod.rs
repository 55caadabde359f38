//! `regatta demo`: the whole job on a small repository with a real bug, with four programs in place of agents. Says at
//! each step what was promised, and fails when something else happened.

mod place;
mod promises;

use std::path::PathBuf;

use regatta_core::RunId;
use regatta_core::event::run::Strategy;
use regatta_http::requests::{LinkMade, RunAccepted};
use regatta_projections::compare::Comparison;
use regatta_projections::fleet::FleetView;

use super::{down, watch};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::Terminal;
use crate::{follow, render, server};
use place::Place;

/// Race four small programs on a small repository with a bug: no network, no keys, no Docker
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It makes a repository and a data directory of its own in a fresh folder, which is kept for looking
around; --data-dir puts the data directory elsewhere. It exits 0 only when everything came out as it should.

Examples:
  regatta demo
  regatta demo --sandbox host     where neither bubblewrap nor Landlock works")]
pub(crate) struct Args {
    /// Where the attempts run: local, or host (no fence)
    #[arg(long, value_name = "SANDBOX", default_value = "local", value_parser = ["local", "host"])]
    sandbox: String,

    /// Use this fresh folder instead of one in the folder for temporary files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Leave a server running, and print a link to the comparison
    #[arg(long)]
    stay: bool,
}

/// `is_data_dir_given` by its flag: the demo is not kept in the data directory of every day.
pub(crate) fn run(context: &Context, args: Args, is_data_dir_given: bool) -> Outcome {
    let terminal = &context.terminal;
    let data = is_data_dir_given.then_some(context.data_dir.as_path());
    let place = Place::make(args.dir.as_deref(), data)?;
    say(terminal, &format!("a repository with a bug, four programs in place of agents: {}", place.root().display()));
    let own = Context { data_dir: place.data(), ..context.clone() };
    block_on(server::start_detached(&own, &[]))?;
    let raced = block_on(races(&own, &place, &args.sandbox));
    // Whatever came of it, nothing is left running.
    let stopped = down::run(&Context { terminal: terminal.quiet(), ..own.clone() }, down::Args {});
    let last = raced?;
    stopped?;
    let report = regatta_core::log::verify::verify(&own.data_dir)
        .map_err(|error| Failure::caused("the log cannot be verified", &error))?;
    promises::log(&report)?;
    say(
        terminal,
        &format!("log verified: {} events, chained and intact, last hash {:.16}…", report.events, report.hash),
    );
    if args.stay { stay(&own, &place, &last) } else { end(terminal, &place) }
}

/// A line beside the data.
fn say(terminal: &Terminal, text: &str) {
    terminal.note(format!("\n{} {text}", terminal.paint.strong("▸")));
}

async fn races(context: &Context, place: &Place, sandbox: &str) -> Result<Option<RunId>, Failure> {
    let (terminal, client) = (&context.terminal, context.client());
    let mut last = None;
    let strategies = [
        (Strategy::Race, "race", "the first that passes the checks wins, the others are stopped"),
        (Strategy::Best, "best", "all come to their end, the smallest that passes wins"),
    ];
    for (strategy, name, about) in strategies {
        say(terminal, &format!("strategy {name}: {about}"));
        let request = place.request(strategy, sandbox)?;
        let accepted: RunAccepted = client.command_once("/runs", &request, &format!("demo-{name}")).await?;
        let view = follow::follow(&client, accepted.run.as_str(), terminal).await?;
        let comparison: Comparison = client.get(&format!("/runs/{}/compare", accepted.run)).await?;
        if terminal.json {
            terminal.json(&comparison)?;
        } else {
            watch::end(&view, terminal);
            terminal.out(format!("\n{}", render::comparison::comparison(&comparison, None, terminal)))?;
        }
        promises::run(strategy, &view, &comparison)?;
        place.promise_branch(&accepted.run)?;
        last = Some(accepted.run);
    }
    let fleet: FleetView = client.get("/fleet").await?;
    promises::fleet(&fleet)?;
    Ok(last)
}

/// Leaves a server running and says where to look in the browser.
fn stay(context: &Context, place: &Place, last: &Option<RunId>) -> Outcome {
    let made: LinkMade = block_on(async {
        server::start_detached(context, &[]).await?;
        context.client().create("/sign-in-links", &serde_json::json!({})).await
    })?;
    let terminal = &context.terminal;
    let next = last.as_ref().map(|run| format!("&next=/runs/{run}")).unwrap_or_default();
    say(
        terminal,
        "everything came out as it should. The comparison in the browser (the link works once, for ten minutes):",
    );
    terminal.note(format!("  {}{next}", made.link));
    let (data, repository) = (place.data(), place.repository());
    terminal.note("Or on the command line:");
    terminal.note(format!("  export REGATTA_DATA_DIR={}", data.display()));
    terminal.note("  regatta compare last           and: --diff a b, show last.a --output");
    terminal.note("  regatta open                   another link");
    terminal.note("  regatta down                   stops the server");
    terminal.note(format!("  git -C {} log --oneline --all --graph", repository.display()));
    Ok(Exit::Done)
}

fn end(terminal: &Terminal, place: &Place) -> Outcome {
    let (data, repository) = (place.data(), place.repository());
    say(terminal, "everything came out as it should. Look around:");
    terminal.note(format!("  export REGATTA_DATA_DIR={}", data.display()));
    terminal.note("  regatta up --detach            the runs are in its log");
    terminal.note("  regatta compare last           and: --diff a b, show last.a --output");
    terminal.note("  regatta replay last --speed 4  the race once more, from the log");
    terminal.note(format!("  git -C {} log --oneline --all --graph", repository.display()));
    terminal.note("Then your own: regatta run 'fix the failing test' -a claude -a codex --check 'make test'");
    Ok(Exit::Done)
}
