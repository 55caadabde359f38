//! Facts about the log itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Seq;

/// A fact about the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// Old events are not kept here any more. Recorded before they are removed, so that none is ever missing without a
    /// word.
    Released(Released),
}

/// Old events are not kept here any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// The first event that is kept.
    pub first_kept: Seq,
    /// Where what stands before it is: the folder of a backup.
    pub archive: String,
    /// The files, oldest first.
    pub segments: Vec<ReleasedSegment>,
}

/// A file of the log that is not kept here any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleasedSegment {
    /// Its first event.
    pub first: Seq,
    /// Its last event.
    pub last: Seq,
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file but its last 36 bytes, in hexadecimal, as it was read in the backup.
    pub blake3: String,
}
