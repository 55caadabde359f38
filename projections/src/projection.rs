//! What a projection is: a fold that is told facts one by one and can be put down and taken up again.
//!
//! Knows nothing of any particular view, of where snapshots are kept, or of who asks.

use regatta_core::event::DecodeError;
use regatta_core::{AttemptId, Envelope, Event, RunId, Seq, Stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest reason of a fault that is kept, in characters.
const FAULT_CHARS_MAX: usize = 300;

/// A fold of the log for reading.
pub trait Projection: Default + Serialize + DeserializeOwned {
    /// What snapshots of it are called.
    const NAME: &'static str;
    /// Version of its state; a snapshot of another version is refused, and the state is rebuilt from the log.
    const VERSION: u32;

    /// Takes the next event. One that was taken before (by its `Seq`) is passed over; one that cannot be read is
    /// counted and passed over.
    fn apply(&mut self, envelope: &Envelope);

    /// How far it came, and what it had to pass over.
    fn progress(&self) -> &Progress;

    /// The last position taken; 0 before everything.
    fn seq(&self) -> Seq {
        self.progress().seq
    }
}

/// How far a projection came, and what it had to pass over. Everything but `unknown` should be 0 for ever; it is shown
/// so that it can be seen when it is not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The last position taken.
    pub seq: Seq,
    /// When that event happened, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Events of a known kind whose payload could not be read.
    pub faults: u64,
    /// Events about a run or attempt that was never introduced.
    pub strays: u64,
    /// Events of a kind this version does not know.
    pub unknown: u64,
    /// The last event that was passed over as a fault or a stray.
    pub last_fault: Option<Fault>,
}

/// An event that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its position.
    pub seq: Seq,
    /// Why.
    pub reason: String,
}

impl Progress {
    /// Notes the position. Whether it is news.
    pub(crate) fn advance(&mut self, envelope: &Envelope) -> bool {
        let is_news = envelope.seq > self.seq;
        if is_news {
            self.seq = envelope.seq;
            self.at_us = envelope.at_us;
        }
        is_news
    }

    pub(crate) fn note_fault(&mut self, error: &DecodeError) {
        self.faults += 1;
        let reason = error.to_string().chars().take(FAULT_CHARS_MAX).collect();
        self.last_fault = Some(Fault { seq: self.seq, reason });
    }

    pub(crate) fn note_stray(&mut self, envelope: &Envelope) {
        self.strays += 1;
        let reason = format!("{} in {} is about something never introduced", envelope.kind, envelope.stream);
        self.last_fault = Some(Fault { seq: self.seq, reason });
    }
}

/// A fact as views take it: read once, with the thing it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) event: &'a Event,
    pub(crate) subject: Subject,
}

/// A fact about something that was never introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stray;

/// One view's part of a projection.
pub(crate) trait Fold {
    /// Takes a fact.
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray>;
}

/// The thing a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A run: its own stream, its deliveries, or what becomes of what its attempts left.
    Run(RunId),
    /// An attempt: its own stream, its output or one of its sandboxes.
    Attempt(AttemptId),
    /// Something else.
    Other,
}

impl Subject {
    pub(crate) fn of(stream: &Stream) -> Self {
        let Some((family, name)) = stream.as_str().split_once('/') else { return Self::Other };
        let found = match family {
            "run" | "delivery" | "cleaning" => name.parse().ok().map(Self::Run),
            "attempt" | "output" => name.parse().ok().map(Self::Attempt),
            "sandbox" => name.parse().ok().map(|key: regatta_core::SandboxKey| Self::Attempt(key.attempt)),
            _ => None,
        };
        found.unwrap_or(Self::Other)
    }

    pub(crate) fn run(self) -> Option<RunId> {
        match self {
            Self::Run(run) => Some(run),
            Self::Attempt(attempt) => Some(attempt.run),
            Self::Other => None,
        }
    }

    pub(crate) fn attempt(self) -> Option<AttemptId> {
        match self {
            Self::Attempt(attempt) => Some(attempt),
            Self::Run(_) | Self::Other => None,
        }
    }
}
