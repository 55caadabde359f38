//! `regatta ls`: the runs, newest first.

use regatta_projections::runs::RunPage;

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::render;

/// List the runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta ls
  regatta ls --state racing,undecided
  regatta ls --json | jq -r '.rows[].id'")]
pub(crate) struct Args {
    /// Only these states, with commas: racing, delivered, undecided, cancelled, failed, …
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    state: Vec<String>,

    /// At most so many
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,

    /// The list as it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let terminal = &context.terminal;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    if !args.state.is_empty() {
        query.append_pair("state", &args.state.join(","));
    }
    let page: RunPage = block_on(async {
        let client = context.client();
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?.replace('?', "&");
        client.get(&format!("/runs?{}{as_of}", query.finish())).await
    })?;
    if terminal.json {
        terminal.json(&page)?;
    } else if page.rows.is_empty() {
        terminal.note("no runs yet; start one: regatta run 'fix the failing test' -a claude -a codex");
    } else {
        terminal.out(render::runs::runs(&page.rows, super::now_us(), terminal))?;
        if page.next.is_some() {
            terminal.note("there are older ones: --limit shows more");
        }
    }
    Ok(Exit::Done)
}
