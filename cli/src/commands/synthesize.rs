//! `regatta synthesize`: hunks of several attempts become a further attempt.

use regatta_core::Slot;
use regatta_dispatcher::compose::{Choice, Conflict};
use regatta_http::requests::{SynthesisAnswer, SynthesizeRequest};

use super::RunRef;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::render::words;
use crate::terminal::escape;

/// Put hunks of several attempts together; the result is checked as a further attempt
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta synthesize last --take a:src/parse.rs#1 --take b:src/lib.rs
  regatta synthesize last --take a:src/parse.rs#1 --take b:src/parse.rs#2 --dry-run
  regatta synth last --take a:Cargo.toml -m 'the fix without the noise'

Hunks are counted from 1, as `regatta compare RUN --diff LETTER` shows them; without a number the whole file is taken.
New, deleted and binary files are only taken whole.")]
pub(crate) struct Args {
    /// A run
    run: RunRef,

    /// What to take: an attempt's letter, a path, a hunk's number
    #[arg(long, short, value_name = "LETTER:PATH[#HUNK]", required = true, value_parser = choice)]
    take: Vec<Choice>,

    /// Why, for whoever looks later
    #[arg(long = "message", short, value_name = "TEXT", default_value = "")]
    message: String,

    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
}

/// `a:src/parse.rs#1`; a `#` that no number follows belongs to the path.
fn choice(text: &str) -> Result<Choice, String> {
    let wrong = || "write LETTER:PATH or LETTER:PATH#HUNK, as a:src/parse.rs#1".to_owned();
    let (letter, rest) = text.split_once(':').ok_or_else(wrong)?;
    let slot: Slot = letter.to_lowercase().parse().map_err(|error| format!("{error}"))?;
    let numbered = rest.rsplit_once('#').and_then(|(path, number)| Some((path, number.parse().ok()?)));
    let (path, hunk) = numbered.map_or((rest, None), |(path, number)| (path, Some(number)));
    if path.is_empty() { Err(wrong()) } else { Ok(Choice { slot, path: path.to_owned(), hunk, hash: None }) }
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let (terminal, run) = (&context.terminal, args.run);
    let request = SynthesizeRequest { hunks: args.take, reason: args.message };
    let query = if args.dry_run { "?dry_run=true" } else { "" };
    let answer: SynthesisAnswer =
        block_on(context.client().command_answered(&format!("/runs/{run}/synthesize{query}"), &request))?;
    if terminal.json {
        terminal.json(&answer)?;
    } else {
        for hunk in &answer.hunks {
            terminal.out(escape::line(&format!("{} {} {}", hunk.slot, hunk.path, hunk.header)))?;
        }
        answer.conflicts.iter().try_for_each(|conflict| terminal.out(told(conflict)))?;
    }
    let stat = words::stat(&answer.stat);
    match answer.slot {
        Some(slot) => terminal.note(format!("attempt {slot} ({stat}) is on its way: regatta watch {run}")),
        None if answer.conflicts.is_empty() => terminal.note(format!("it goes together: {stat}")),
        None => terminal.note("it does not go together; leave out one of each two"),
    }
    Ok(if answer.conflicts.is_empty() { Exit::Done } else { Exit::Refused })
}

/// One conflict in a line.
pub(crate) fn told(conflict: &Conflict) -> String {
    let between = conflict.between.iter().map(|hunk| match hunk.hunk {
        Some(number) => format!("{}#{number}", hunk.slot),
        None => hunk.slot.to_string(),
    });
    let between: Vec<String> = between.collect();
    escape::line(&format!("{}: {}: {}", conflict.path, between.join(" and "), conflict.reason)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_take_is_read() {
        for (text, slot, path, hunk) in [
            ("a:src/parse.rs#1", "a", "src/parse.rs", Some(1)),
            ("B:src/lib.rs", "b", "src/lib.rs", None),
            ("ab:c#:x#y", "ab", "c#:x#y", None),
        ] {
            let choice = choice(text).expect("a choice");
            assert_eq!((choice.slot.to_string().as_str(), choice.path.as_str(), choice.hunk), (slot, path, hunk));
        }
        for text in ["", "a", "a:", ":x", "1:x", "a:#1"] {
            assert!(choice(text).is_err(), "{text:?}");
        }
    }
}
