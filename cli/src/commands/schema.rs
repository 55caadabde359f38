//! `regatta schema`: the shapes of what Regatta writes and reads, for programs, editors and generators.

use serde_json::Value;

use crate::config;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Print the schema of the API, of the events, or of regatta.toml
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta schema openapi > openapi.json      for generating a client
  regatta schema config > regatta.json       for an editor that completes regatta.toml
  regatta schema events | jq '.\"$defs\" | keys'")]
pub(crate) struct Args {
    /// Whose: openapi (OpenAPI 3.1), events or config (JSON Schema)
    what: What,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    Openapi,
    Events,
    Config,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let schema: Value = match args.what {
        What::Openapi => serde_json::from_slice(&regatta_http::openapi::json())
            .map_err(|error| Failure::caused("failed to read the API's own description", &error))?,
        What::Events => regatta_http::event_schema::schema(),
        What::Config => config::schema(),
    };
    context.terminal.out(format!("{schema:#}"))?;
    Ok(Exit::Done)
}
