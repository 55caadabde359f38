//! `regatta compare`: the attempts of a run side by side, and how they differ.

use std::collections::BTreeMap;

use regatta_core::Slot;
use regatta_http::works::MergePreview;
use regatta_projections::compare::Comparison;

use super::{AttemptRef, RunRef, show};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::render;
use crate::terminal::Terminal;
use crate::terminal::patch;

/// Compare the attempts of a run side by side
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta compare last
  regatta compare last --into release  what merging each into release would come to
  regatta compare last --diff b        what b changed
  regatta compare last --diff a b      how b's result differs from a's
  regatta compare last --as-of 1200    as it was at event 1200")]
pub(crate) struct Args {
    /// A run
    run: RunRef,

    /// The diff of one attempt, or of the second against the first
    #[arg(long, value_name = "LETTER", num_args = 1..=2, value_parser = slot)]
    diff: Vec<Slot>,

    /// Try the merge with this branch, tag or commit; the run's base as it stands now when left out
    #[arg(long, value_name = "REF", conflicts_with_all = ["diff", "as_of"])]
    into: Option<String>,

    /// With the attempts that are put aside
    #[arg(long, conflicts_with = "diff")]
    all: bool,

    /// As it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "diff")]
    as_of: Option<String>,
}

fn slot(text: &str) -> Result<Slot, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let (terminal, client) = (&context.terminal, context.client());
    block_on(async {
        match *args.diff.as_slice() {
            [] => overview(&client, &args, terminal).await,
            ref slots if terminal.json => patches(&client, &args.run, slots, terminal).await,
            [only] => {
                let attempt = AttemptRef { run: args.run.clone(), slot: only };
                shown(&show::patch_of(&client, &attempt, None).await?, "it changed nothing", terminal)
            }
            [old, new, ..] => {
                let attempt = AttemptRef { run: args.run.clone(), slot: new };
                terminal.note(format!("from {old} (-) to {new} (+)"));
                shown(&show::patch_of(&client, &attempt, Some(old)).await?, "their results are the same", terminal)
            }
        }
    })?;
    Ok(Exit::Done)
}

async fn overview(client: &Client, args: &Args, terminal: &Terminal) -> Result<(), Failure> {
    let as_of = super::as_of(client, args.as_of.as_deref()).await?;
    let also = match (args.all, as_of.is_empty()) {
        (false, _) => "",
        (true, true) => "?discarded=true",
        (true, false) => "&discarded=true",
    };
    let view: Comparison = client.get(&format!("/runs/{}/compare{as_of}{also}", args.run)).await?;
    let merge = if args.as_of.is_none() { preview(client, args, terminal).await? } else { None };
    if !terminal.json {
        return terminal.out(render::comparison::comparison(&view, merge.as_ref(), terminal));
    }
    let failed = |error: serde_json::Error| Failure::caused("failed to write JSON", &error);
    let mut whole = serde_json::to_value(&view).map_err(failed)?;
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("merge".to_owned(), serde_json::to_value(&merge).map_err(failed)?);
    }
    terminal.json(&whole)
}

/// What merging would come to. A repository that is gone does not keep anybody from comparing, unless they asked.
async fn preview(client: &Client, args: &Args, terminal: &Terminal) -> Result<Option<MergePreview>, Failure> {
    let into = args.into.as_ref().map_or(String::new(), |name| {
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        format!("?into={name}")
    });
    match client.get(&format!("/runs/{}/merge-preview{into}", args.run)).await {
        Ok(preview) => Ok(Some(preview)),
        Err(failure) if args.into.is_some() => Err(failure),
        Err(failure) => {
            terminal.note(format!("the merge could not be tried: {}", failure.message));
            Ok(None)
        }
    }
}

fn shown(patch: &[u8], nothing: &str, terminal: &Terminal) -> Result<(), Failure> {
    let files = patch::read(patch);
    if files.is_empty() {
        terminal.note(nothing);
    }
    for file in files {
        let is_wide = terminal.width >= patch::SPLIT_WIDTH_MIN;
        let paint = terminal.paint;
        terminal.out(if is_wide { file.split(terminal.width, paint) } else { file.unified(paint) })?;
    }
    Ok(())
}

/// Patches as text, by attempt, and between them; `show --diff` has them byte for byte.
async fn patches(client: &Client, run: &RunRef, slots: &[Slot], terminal: &Terminal) -> Result<(), Failure> {
    let text = |patch: Vec<u8>| String::from_utf8_lossy(&patch).into_owned();
    let attempt = |slot| AttemptRef { run: run.clone(), slot };
    let mut patches = BTreeMap::new();
    for slot in slots {
        patches.insert(slot.to_string(), text(show::patch_of(client, &attempt(*slot), None).await?));
    }
    if let [old, new, ..] = *slots {
        patches.insert("between".to_owned(), text(show::patch_of(client, &attempt(new), Some(old)).await?));
    }
    terminal.json(&patches)
}
