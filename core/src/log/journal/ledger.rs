//! What decides about an append: where each stream is and which dedup keys are known, including what was admitted but
//! is not on disk yet. Does no IO of its own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::log::index::{Catalog, IndexError};
use crate::log::{Append, AppendError, Appended, Expect};
use crate::{Seq, Stream};

/// Streams whose position is kept at hand; past it all are forgotten and asked for again.
const HEADS_MAX: usize = 65_536;

/// Where streams are.
#[derive(Debug)]
pub(super) struct Ledger {
    catalog: Arc<Catalog>,
    heads: HashMap<Stream, u64>,
    /// First answers of the group being built.
    answers: HashMap<(Stream, Arc<str>), Appended>,
}

impl Ledger {
    pub(super) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, heads: HashMap::new(), answers: HashMap::new() }
    }

    /// Decides about an append whose first event would stand at `first`. What it admits counts at once.
    pub(super) fn admit(&mut self, append: &Append, first: u64) -> Result<Result<Appended, AppendError>, IndexError> {
        let dedup = append.events.first().and_then(|draft| draft.dedup.clone());
        let key = dedup.map(|key| (append.stream.clone(), key));
        if let Some(key) = &key
            && let Some(answer) = self.answer(key)?
        {
            return Ok(Ok(Appended { duplicate: true, ..answer }));
        }
        let actual = self.head(&append.stream)?;
        let met = match append.expect {
            Expect::Any => true,
            Expect::Empty => actual == 0,
            Expect::At(stream_seq) => actual == stream_seq,
        };
        if !met {
            let Append { stream, expect, .. } = append;
            return Ok(Err(AppendError::Conflict { stream: stream.clone(), expected: *expect, actual }));
        }
        let count = append.events.len() as u64;
        let last = Seq(first + count - 1);
        let appended = Appended { first: Seq(first), last, stream_seq: actual + count, duplicate: false };
        self.heads.insert(append.stream.clone(), appended.stream_seq);
        if let Some(key) = key {
            self.answers.insert(key, appended);
        }
        Ok(Ok(appended))
    }

    /// The group is on disk and in the catalog.
    pub(super) fn committed(&mut self) {
        self.answers.clear();
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
    }

    /// The group will not be written.
    pub(super) fn take_back(&mut self) {
        self.answers.clear();
        self.heads.clear();
    }

    fn head(&self, stream: &Stream) -> Result<u64, IndexError> {
        match self.heads.get(stream) {
            Some(head) => Ok(*head),
            None => self.catalog.stream_head(stream),
        }
    }

    fn answer(&self, key: &(Stream, Arc<str>)) -> Result<Option<Appended>, IndexError> {
        match self.answers.get(key) {
            Some(answer) => Ok(Some(*answer)),
            None => self.catalog.first_answer(key),
        }
    }
}
