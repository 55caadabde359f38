//! `regatta log show`: one event, whole. Needs no server, and may run beside one.

use regatta_core::log::Reader;
use regatta_core::{ReadMax, Seq};
use regatta_http::{EventBody, Payload};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::{Terminal, escape};

/// Print one event with everything in it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta log show 1200
  regatta log show 1200 --json | jq .payload")]
pub(crate) struct Args {
    /// Its number
    #[arg(value_name = "SEQ")]
    seq: u64,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let unreadable = |error: &dyn std::error::Error| Failure::caused("the log cannot be read", error);
    let reader = Reader::open(&context.data_dir).map_err(|error| unreadable(&error))?;
    let wanted = Seq(args.seq);
    let found = reader.read(wanted, ReadMax { events: 1, bytes: 1 }).map_err(|error| unreadable(&error))?;
    let event = found.first().filter(|event| event.seq == wanted).map(EventBody::from);
    let none = || {
        Failure::usage(format!("there is no event {wanted}")).hint(format!(
            "the log holds events {} to {}",
            reader.first(),
            reader.head()
        ))
    };
    show(&event.ok_or_else(none)?, &context.terminal)?;
    Ok(Exit::Done)
}

fn show(event: &EventBody, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json(event);
    }
    let cause = event.cause.map_or_else(|| "none".to_owned(), |cause| cause.to_string());
    let rows = [
        ("event", event.seq.to_string()),
        ("kind", format!("{} (version {})", event.kind, event.version)),
        ("stream", format!("{}, number {}", event.stream.as_str(), event.stream_seq)),
        ("at", event.at.clone()),
        ("by", event.actor.as_str().to_owned()),
        ("id", event.id.to_string()),
        ("cause", cause),
        ("belongs to", event.correlation.to_string()),
        ("says", event.text.clone()),
    ];
    for (name, value) in rows {
        terminal.out(format!("{} {}", terminal.paint.dim(format!("{name:<11}")), escape::line(&value)))?;
    }
    let payload = match &event.payload {
        Payload::Fields(fields) => serde_json::to_string_pretty(fields),
        Payload::Output(output) => serde_json::to_string_pretty(output),
        Payload::Frame(frame) => serde_json::to_string_pretty(frame),
        Payload::Opaque(base64) => Ok(base64.clone()),
    };
    let payload = payload.map_err(|error| Failure::caused("the event cannot be shown", &error))?;
    terminal.out(escape::lines(&payload))
}
