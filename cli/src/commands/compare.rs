//! `regatta compare`: the attempts of a run side by side, and their diffs.

use std::collections::BTreeMap;

use regatta_core::Slot;
use regatta_projections::compare::Comparison;

use super::{AttemptRef, RunRef, show};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::render;
use crate::terminal::Terminal;
use crate::terminal::patch::{self, FilePatch};

/// Columns from which two attempts' diffs stand beside each other.
const BESIDE_WIDTH_MIN: usize = 80;

/// Compare the attempts of a run side by side
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta compare last
  regatta compare last --diff b        what b changed
  regatta compare last --diff a b      a's changes beside b's, file by file
  regatta compare last --as-of 1200    as it was at event 1200")]
pub(crate) struct Args {
    /// A run
    run: RunRef,

    /// The diff of one attempt, or of two side by side
    #[arg(long, value_name = "LETTER", num_args = 1..=2, value_parser = slot)]
    diff: Vec<Slot>,

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
            [] => {
                let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
                let view: Comparison = client.get(&format!("/runs/{}/compare{as_of}", args.run)).await?;
                if terminal.json {
                    terminal.json(&view)
                } else {
                    terminal.out(render::comparison::comparison(&view, terminal))
                }
            }
            ref slots if terminal.json => patches(&client, &args.run, slots, terminal).await,
            [only] => {
                for file in files(&client, &args.run, only).await? {
                    let is_wide = terminal.width >= patch::SPLIT_WIDTH_MIN;
                    let paint = terminal.paint;
                    terminal.out(if is_wide { file.split(terminal.width, paint) } else { file.unified(paint) })?;
                }
                Ok(())
            }
            [left, right, ..] => {
                let (left_files, right_files) =
                    (files(&client, &args.run, left).await?, files(&client, &args.run, right).await?);
                beside((left, &left_files), (right, &right_files), terminal)
            }
        }
    })?;
    Ok(Exit::Done)
}

/// Patches as text, by attempt; `show --diff` has them byte for byte.
async fn patches(client: &Client, run: &RunRef, slots: &[Slot], terminal: &Terminal) -> Result<(), Failure> {
    let mut patches = BTreeMap::new();
    for slot in slots {
        let patch = show::patch_of(client, &AttemptRef { run: run.clone(), slot: *slot }).await?;
        patches.insert(slot.to_string(), String::from_utf8_lossy(&patch).into_owned());
    }
    terminal.json(&patches)
}

async fn files(client: &Client, run: &RunRef, slot: Slot) -> Result<Vec<FilePatch>, Failure> {
    let attempt = AttemptRef { run: run.clone(), slot };
    Ok(patch::read(&show::patch_of(client, &attempt).await?))
}

fn beside(left: (Slot, &[FilePatch]), right: (Slot, &[FilePatch]), terminal: &Terminal) -> Result<(), Failure> {
    let mut paths: BTreeMap<&str, (Option<&FilePatch>, Option<&FilePatch>)> = BTreeMap::new();
    for file in left.1 {
        paths.entry(&file.path).or_default().0 = Some(file);
    }
    for file in right.1 {
        paths.entry(&file.path).or_default().1 = Some(file);
    }
    if paths.is_empty() {
        terminal.note("neither changed anything");
    } else {
        terminal.out(terminal.paint.dim(format!("{} on the left, {} on the right", left.0, right.0)))?;
    }
    for (path, (old, new)) in paths {
        let unchanged = FilePatch::unchanged(path);
        let (old, new) = (old.unwrap_or(&unchanged), new.unwrap_or(&unchanged));
        if terminal.width >= BESIDE_WIDTH_MIN {
            terminal.out(old.beside(new, terminal.width, terminal.paint))?;
        } else {
            terminal.out(format!("{}: {}", left.0, old.unified(terminal.paint)))?;
            terminal.out(format!("{}: {}", right.0, new.unified(terminal.paint)))?;
        }
    }
    Ok(())
}
