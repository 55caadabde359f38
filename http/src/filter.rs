//! Which events a reader wants: by kind, by stream, by run. Pure.

use regatta_core::{Envelope, RunId, SandboxKey, Stream};
use serde::Deserialize;

/// Most names in one filter.
const NAMES_MAX: usize = 64;

/// A filter as it stands in a query.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct FilterQuery {
    /// Names of kinds or families, with commas; one with `!` in front is left out: `run,attempt,!attempt.output`.
    pub kind: Option<String>,
    /// Beginnings of stream names, with commas: `run/7q2k9x0m,output/`.
    pub stream: Option<String>,
    /// Everything of one run.
    pub run: Option<String>,
}

/// Which events a reader wants. Empty lists want everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    kinds: Vec<String>,
    kinds_left_out: Vec<String>,
    streams: Vec<String>,
    run: Option<RunId>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(query: &FilterQuery) -> Result<Self, String> {
        let names = |text: &Option<String>| -> Vec<String> {
            let text = text.as_deref().unwrap_or_default();
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (left_out, kinds): (Vec<String>, Vec<String>) =
            names(&query.kind).into_iter().partition(|name| name.starts_with('!'));
        let streams = names(&query.stream);
        if kinds.len() + left_out.len() + streams.len() > NAMES_MAX {
            return Err(format!("a filter has at most {NAMES_MAX} names"));
        }
        let kinds_left_out = left_out.iter().map(|name| name.trim_start_matches('!').to_owned()).collect();
        let run = query.run.as_deref().map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        Ok(Self { kinds, kinds_left_out, streams, run })
    }

    /// The run it is limited to.
    pub(crate) fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Whether the reader wants this event.
    #[must_use]
    pub fn wants(&self, envelope: &Envelope) -> bool {
        let kind = envelope.kind.to_string();
        let named = |names: &[String]| names.iter().any(|name| *name == kind || name == envelope.kind.family());
        let stream = envelope.stream.as_str();
        (self.kinds.is_empty() || named(&self.kinds))
            && !named(&self.kinds_left_out)
            && (self.streams.is_empty() || self.streams.iter().any(|start| stream.starts_with(start)))
            && self.run.is_none_or(|run| run_of(&envelope.stream) == Some(run))
    }
}

/// The run a stream belongs to, by its name.
#[must_use]
pub fn run_of(stream: &Stream) -> Option<RunId> {
    let (family, rest) = stream.as_str().split_once('/')?;
    match family {
        "run" | "delivery" => rest.parse().ok(),
        "attempt" | "output" => rest.split_once('.').and_then(|(run, _)| run.parse().ok()),
        "sandbox" => rest.parse::<SandboxKey>().ok().map(|key| key.attempt.run),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belongs(stream: &str, run: Option<&str>) {
        let stream = Stream::try_from(stream).expect("a stream");
        assert_eq!(run_of(&stream), run.map(|run| run.parse().expect("a run")), "{stream}");
    }

    #[test]
    fn every_stream_of_a_run_belongs_to_it_and_no_other() {
        belongs("run/7q2k9x0m", Some("7q2k9x0m"));
        belongs("attempt/7q2k9x0m.b", Some("7q2k9x0m"));
        belongs("output/7q2k9x0m.ab", Some("7q2k9x0m"));
        belongs("delivery/7q2k9x0m", Some("7q2k9x0m"));
        belongs("sandbox/regatta-abcd-7q2k9x0m-b-1", Some("7q2k9x0m"));
        belongs("config/install", None);
        belongs("run/7q2k9x0", None);
    }
}
