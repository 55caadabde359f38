//! Which events a reader wants: by kind, stream, run, attempt, actor, text, up to a position; and may have. Pure.

use regatta_core::event::user::Role;
use regatta_core::{AttemptId, Envelope, GatewayName, Kind, RunId, SandboxKey, Seq, Stream};
use serde::Deserialize;

use crate::door::least;

/// Most names in one filter.
const NAMES_MAX: usize = 64;
/// Longest text looked for, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// A filter as it stands in a query.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct FilterQuery {
    /// Names of kinds or families, with commas; one with `!` in front is left out: `run,attempt,!attempt.output`.
    pub kind: Option<String>,
    /// Beginnings of stream names, with commas: `run/7q2k9x0m,output/`.
    pub stream: Option<String>,
    /// Everything of one run.
    pub run: Option<String>,
    /// Everything in the streams of one attempt.
    pub attempt: Option<String>,
    /// Only what this actor caused: `user:ada`.
    pub actor: Option<String>,
    /// Only events whose line for people holds this, case ignored.
    pub text: Option<String>,
}

/// Which events a reader wants. Empty lists want everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    kinds: Vec<String>,
    kinds_left_out: Vec<String>,
    streams: Vec<String>,
    run: Option<RunId>,
    attempt: Option<AttemptId>,
    actor: Option<String>,
    text: Option<String>,
    to: Option<Seq>,
    reader: Option<Role>,
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
        if query.text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!("a text to look for has at most {TEXT_BYTES_MAX} bytes"));
        }
        let kinds_left_out = left_out.iter().map(|name| name.trim_start_matches('!').to_owned()).collect();
        let run = query.run.as_deref().map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        let attempt = query.attempt.as_deref().map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        Ok(Self {
            kinds,
            kinds_left_out,
            streams,
            run,
            attempt,
            actor: query.actor.clone(),
            text,
            to: None,
            reader: None,
        })
    }

    /// The same, but nothing after a position.
    #[must_use]
    pub fn up_to(self, to: Option<Seq>) -> Self {
        Self { to, ..self }
    }

    /// The same, but nothing that somebody of that role may not read.
    #[must_use]
    pub fn for_reader(self, role: Role) -> Self {
        Self { reader: Some(role), ..self }
    }

    /// Everything of one run but what its attempts printed.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self { run: Some(run), ..Self::without_output() }
    }

    /// Everything but what attempts printed and gateways said.
    #[must_use]
    pub fn without_output() -> Self {
        Self { kinds_left_out: Kind::RAW.map(|kind| kind.to_string()).to_vec(), ..Self::default() }
    }

    /// What one attempt printed.
    #[must_use]
    pub fn output_of(attempt: AttemptId) -> Self {
        Self { streams: vec![Stream::output(attempt).as_str().to_owned()], attempt: Some(attempt), ..Self::default() }
    }

    /// What a gateway says, and how the connection to it fares; those whose names begin as its own, too.
    #[must_use]
    pub fn of_link(gateway: &GatewayName) -> Self {
        Self { streams: vec![Stream::link(gateway).as_str().to_owned()], ..Self::default() }
    }

    /// The run it is limited to.
    pub(crate) fn run(&self) -> Option<RunId> {
        self.run.or(self.attempt.map(|attempt| attempt.run))
    }

    /// Whether nothing at this position or later is wanted.
    pub(crate) fn is_past(&self, seq: Seq) -> bool {
        self.to.is_some_and(|to| seq > to)
    }

    /// Whether the reader wants this event.
    #[must_use]
    pub fn wants(&self, envelope: &Envelope) -> bool {
        let kind = envelope.kind.to_string();
        let named = |names: &[String]| names.iter().any(|name| *name == kind || name == envelope.kind.family());
        let stream = envelope.stream.as_str();
        !self.is_past(envelope.seq)
            && (self.kinds.is_empty() || named(&self.kinds))
            && !named(&self.kinds_left_out)
            && (self.streams.is_empty() || self.streams.iter().any(|start| stream.starts_with(start)))
            && self.run.is_none_or(|run| run_of(&envelope.stream) == Some(run))
            && self.attempt.is_none_or(|attempt| attempt_of(&envelope.stream) == Some(attempt))
            && self.actor.as_ref().is_none_or(|actor| actor == envelope.actor.as_str())
            && self.text.as_ref().is_none_or(|text| line(envelope).to_lowercase().contains(text))
            // Last, since it reads what a gateway said.
            && self.reader.is_none_or(|role| role == Role::Admin || role >= least(envelope))
    }
}

fn line(envelope: &Envelope) -> String {
    envelope.event().map_or_else(|error| error.to_string(), |event| regatta_projections::timeline::line(&event))
}

/// The run a stream belongs to, by its name.
#[must_use]
pub fn run_of(stream: &Stream) -> Option<RunId> {
    let (family, rest) = stream.as_str().split_once('/')?;
    match family {
        "run" | "delivery" | "cleaning" => rest.parse().ok(),
        "attempt" | "output" => rest.split_once('.').and_then(|(run, _)| run.parse().ok()),
        "sandbox" => rest.parse::<SandboxKey>().ok().map(|key| key.attempt.run),
        _ => None,
    }
}

/// The attempt a stream belongs to, by its name.
#[must_use]
pub fn attempt_of(stream: &Stream) -> Option<AttemptId> {
    let (family, rest) = stream.as_str().split_once('/')?;
    match family {
        "attempt" | "output" => rest.parse().ok(),
        "sandbox" => rest.parse::<SandboxKey>().ok().map(|key| key.attempt),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belongs(stream: &str, run: Option<&str>, attempt: Option<&str>) {
        let stream = Stream::try_from(stream).expect("a stream");
        assert_eq!(run_of(&stream), run.map(|run| run.parse().expect("a run")), "{stream}");
        assert_eq!(attempt_of(&stream), attempt.map(|attempt| attempt.parse().expect("an attempt")), "{stream}");
    }

    #[test]
    fn every_stream_of_a_run_belongs_to_it_and_no_other() {
        belongs("run/7q2k9x0m", Some("7q2k9x0m"), None);
        belongs("attempt/7q2k9x0m.b", Some("7q2k9x0m"), Some("7q2k9x0m.b"));
        belongs("output/7q2k9x0m.ab", Some("7q2k9x0m"), Some("7q2k9x0m.ab"));
        belongs("delivery/7q2k9x0m", Some("7q2k9x0m"), None);
        belongs("cleaning/7q2k9x0m", Some("7q2k9x0m"), None);
        belongs("sandbox/regatta-abcd-7q2k9x0m-b-1", Some("7q2k9x0m"), Some("7q2k9x0m.b"));
        belongs("config/install", None, None);
        belongs("run/7q2k9x0", None, None);
    }
}
