//! Events in lines.

use regatta_core::SandboxKey;
use regatta_http::{EventBody, run_of};

/// The letter of the attempt an event is about.
pub(crate) fn slot(event: &EventBody) -> Option<String> {
    let (family, name) = event.stream.as_str().split_once('/')?;
    match family {
        "attempt" | "output" => name.split_once('.').map(|(_, slot)| slot.to_owned()),
        "sandbox" => name.parse::<SandboxKey>().ok().map(|key| key.attempt.slot.to_string()),
        _ => None,
    }
}

/// What an event is about: an attempt, a run, or the stream itself.
pub(crate) fn subject(event: &EventBody) -> String {
    match (run_of(&event.stream), slot(event)) {
        (Some(run), Some(slot)) => format!("{run}.{slot}"),
        (Some(run), None) => run.to_string(),
        (None, _) => event.stream.to_string(),
    }
}
