//! Which events of the log are wanted: by number or by time.

use regatta_core::Seq;
use regatta_core::log::{ReadError, Reader};

use crate::failure::Failure;
use crate::moment::Moment;

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(super) struct Range {
    /// The first event
    #[arg(long, value_name = "SEQ", conflicts_with = "since")]
    pub(super) from: Option<u64>,

    /// The last event
    #[arg(long, value_name = "SEQ", conflicts_with = "until")]
    pub(super) to: Option<u64>,

    /// Only what happened since a time, as 2026-11-22T08:00:00Z, or since so long ago, as 2h
    #[arg(long, value_name = "TIME", value_parser = Moment::read)]
    pub(super) since: Option<Moment>,

    /// Only what happened until a time, or until so long ago
    #[arg(long, value_name = "TIME", value_parser = Moment::read)]
    pub(super) until: Option<Moment>,
}

impl Range {
    /// Refuses what nothing can be in.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let wrong = |first: &str, last: &str, begins: String, ends: String| {
            Failure::usage(format!("{first} {begins} is after {last} {ends}")).hint("change the two")
        };
        match *self {
            Self { from: Some(from), to: Some(to), .. } if from > to => {
                Err(wrong("--from", "--to", from.to_string(), to.to_string()))
            }
            Self { since: Some(since), until: Some(until), .. } if since > until => {
                Err(wrong("--since", "--until", since.shown(), until.shown()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it has a beginning.
    pub(super) fn begins(&self) -> bool {
        self.from.is_some() || self.since.is_some()
    }

    /// Whether it has an end.
    pub(super) fn ends(&self) -> bool {
        self.to.is_some() || self.until.is_some()
    }

    /// The first event of it, unless it has no beginning, and the last one, unless it has no end.
    pub(super) fn in_log(&self, reader: &Reader) -> Result<(Option<Seq>, Option<Seq>), ReadError> {
        let first = match self.since {
            Some(since) => Some(reader.seq_since(since.0)?),
            None => self.from.map(Seq),
        };
        let last = match self.until {
            Some(until) => Some(before(reader.seq_since(until.0.saturating_add(1))?)),
            None => self.to.map(Seq),
        };
        Ok((first, last))
    }
}

/// The event before one.
pub(super) fn before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}
