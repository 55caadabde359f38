//! The witness: where the log stood, told to somebody outside the data directory from time to time. The chain alone
//! proves that nothing was changed in between; whoever can write the whole data directory can write a whole other
//! chain, or cut the end off. What a witness has heard cannot be unsaid. Knows nothing of where the witness is, but
//! for a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::journal::{RealDisk, disk, regular};
use super::verify::{Report, verify_seeing};
use super::{DurableLog, OpenError, ReadError};
use crate::{InstallId, Log as _, Seq};

/// Longest line of a witness's file in bytes.
const LINE_BYTES_MAX: u64 = 1_024;
/// Disagreements that are told one by one.
pub const PARTINGS_MAX: usize = 100;

/// What a witness heard once: the chain's head at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// Whose log.
    pub install: InstallId,
    /// Its last event then.
    pub seq: Seq,
    /// Hash of the block that ends with it, lower-case hex.
    pub hash: String,
    /// When it was told, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// How it goes with telling one witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WitnessState {
    /// The key of the configuration that names it.
    pub name: String,
    /// The last event it was told of since the server was started; 0 when it was told of none yet.
    pub heard: Seq,
    /// When it was told so, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub heard_at_us: Option<u64>,
    /// How what it has heard is not so. It is told nothing more then, until somebody decided who is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contradicted: Option<String>,
    /// Why it could not be told last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failed: Option<String>,
}

impl WitnessState {
    /// One that was told nothing yet.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), heard: Seq(0), heard_at_us: None, contradicted: None, failed: None }
    }
}

/// Why a witness could not be heard.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The file cannot be read.
    #[error("failed to read the witness's file")]
    Io(#[from] io::Error),
    /// A line is none of ours.
    #[error("line {line} of the witness's file is no chain head: {reason}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl Witnessed {
    /// Where a log stands now; nothing while it is empty.
    #[must_use]
    pub fn now(log: &DurableLog, install: &InstallId, at_us: u64) -> Option<Self> {
        let (seq, hash) = log.chain_head();
        (seq.0 > 0).then(|| Self { install: install.clone(), seq, hash, at_us })
    }

    /// What a log has where this was heard, when it is something else; nothing, too, of what cannot be compared. Looks at
    /// one block: what stands before is in its hash.
    ///
    /// # Errors
    /// When the block cannot be read.
    pub fn parts_from(&self, log: &DurableLog) -> Result<Option<Found>, ReadError> {
        let head = log.head();
        if self.seq > head {
            return Ok(Some(Found::Ended(head)));
        }
        let rechained = Rechained::of(log.dir()).map_err(|error| ReadError::Io(Arc::new(error)))?;
        if self.seq < log.first() || rechained.is_some_and(|rechained| rechained.holds(self.seq)) {
            return Ok(None);
        }
        let (end, hash) = log.reader().block_of(self.seq.0)?;
        let hash = blake3::Hash::from_bytes(hash).to_string();
        Ok(match () {
            () if end != self.seq.0 => Some(Found::NoEnd),
            () if hash != self.hash => Some(Found::Hash(hash)),
            () => None,
        })
    }

    /// Adds itself to the end of a file, made when there is none; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn add_to(&self, path: &Path) -> io::Result<()> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        // A line that was cut off when the power went must not swallow this one.
        let torn = ends_inside_a_line(&file)?;
        let line = serde_json::to_string(self).map_err(io::Error::other)?;
        file.write_all(format!("{}{line}\n", if torn { "\n" } else { "" }).as_bytes())?;
        file.sync_data()
    }
}

fn ends_inside_a_line(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileExt as _;
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

/// Everything a file has heard of an install. A line that was cut off by a crash was never heard.
///
/// # Errors
/// When the file cannot be read, or is not a witness's.
pub fn read_file(path: &Path, install: &InstallId) -> Result<Vec<Witnessed>, WitnessError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut heard = Vec::new();
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let read = file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
        if read == 0 {
            break;
        }
        let ended = text.last() == Some(&b'\n');
        if !ended && read as u64 == LINE_BYTES_MAX {
            return Err(WitnessError::Line { line, reason: format!("it is longer than {LINE_BYTES_MAX} bytes") });
        }
        match serde_json::from_slice::<Witnessed>(text.trim_ascii_end()) {
            Ok(said) if said.install == *install => heard.push(said),
            Ok(_) => {}
            // Cut off by a crash: the line ends the file, or the next one was begun after it.
            Err(error) if error.is_eof() => {}
            Err(error) => return Err(WitnessError::Line { line, reason: error.to_string() }),
        }
    }
    Ok(heard)
}

/// A log beside what a witness heard of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// How often the witness was told.
    pub heard: u64,
    /// The last event up to which the log is what the witness heard, when there is one.
    pub agreed: Option<Seq>,
    /// What was heard of events that are archived, and so cannot be compared.
    pub archived: u64,
    /// What was heard of events that were imported, or restored without their hashes, and so cannot be compared.
    pub rechained: u64,
    /// Where they part, in the order of the log.
    pub partings: Vec<Parting>,
    /// Partings past [`PARTINGS_MAX`].
    pub partings_left_out: u64,
}

/// One thing the witness heard that is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// What was heard.
    pub heard: Witnessed,
    /// What is so.
    pub found: Found,
}

/// What the log has where the witness heard something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Another hash: something up to that event was changed.
    Hash(String),
    /// Events that were not written together with it then.
    NoEnd,
    /// The log ends before.
    Ended(Seq),
}

/// The last event while they are still being brought in.
const UNDER_WAY: Seq = Seq(u64::MAX);
/// Name of the file in the data directory.
pub(crate) const RECHAINED: &str = "RESTORED";

/// Which events of a log were imported or restored from what told no chain: their blocks were written, and chained, anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rechained {
    /// The first of them.
    pub from: Seq,
    /// The last.
    pub upto: Seq,
}

impl Rechained {
    /// Notes in a data directory that these events were; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn note(dir: &Path, from: Seq, upto: Seq) -> io::Result<()> {
        let before = Self::of(dir)?;
        let noted = Self { from: before.map_or(from, |before| before.from.min(from)), upto };
        disk::replace(&RealDisk, dir, RECHAINED, &[&serde_json::to_vec(&noted)?])
    }

    /// What is noted in a data directory.
    ///
    /// # Errors
    /// When the disk fails, or something else is in the file.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        match regular::open(&dir.join(RECHAINED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(serde_json::from_reader(file?.take(LINE_BYTES_MAX))?)),
        }
    }

    /// Notes in a data directory that events from there on are being brought in, and ends with [`Self::end`].
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn begin(dir: &Path, from: Seq) -> io::Result<()> {
        Self::note(dir, from, UNDER_WAY)
    }

    /// Notes that what was begun ended there; nothing was begun when nothing was missing.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn end(dir: &Path, upto: Seq) -> io::Result<()> {
        match Self::of(dir)? {
            Some(Self { from, upto: UNDER_WAY }) => Self::note(dir, from, upto),
            _ => Ok(()),
        }
    }

    fn holds(&self, seq: Seq) -> bool {
        (self.from..=self.upto).contains(&seq)
    }
}

/// Verifies a log as [`super::verify::verify_within`] does, and compares it with what a witness heard of it.
///
/// # Errors
/// As [`super::verify`]. Damage and partings are no errors; they are in the reports.
pub fn verify_against(
    dir: &Path,
    index_deadline: Duration,
    heard: &[Witnessed],
) -> Result<(Report, Comparison), OpenError> {
    let mut asked: BTreeMap<Seq, Option<String>> = heard.iter().map(|said| (said.seq, None)).collect();
    let mut first = None;
    let report = verify_seeing(dir, index_deadline, &mut |begin, end, hash| {
        first.get_or_insert(begin);
        if let Some(found) = asked.get_mut(&end) {
            *found = Some(blake3::Hash::from_bytes(hash).to_string());
        }
    })?;
    let first = first.unwrap_or(Seq(1));
    let rechained =
        Rechained::of(dir).map_err(|source| OpenError::Io { what: "read what is noted of a restore", source })?;
    let mut comparison = Comparison { heard: heard.len() as u64, ..Comparison::default() };
    let mut in_order: Vec<&Witnessed> = heard.iter().collect();
    in_order.sort_by_key(|said| (said.seq, said.at_us));
    for said in in_order {
        let found = match asked.get(&said.seq).and_then(Option::as_ref) {
            Some(hash) if *hash == said.hash => {
                if comparison.partings.is_empty() {
                    comparison.agreed = Some(said.seq);
                }
                continue;
            }
            _ if said.seq < first => {
                comparison.archived += 1;
                continue;
            }
            None if said.seq > report.head => Found::Ended(report.head),
            _ if rechained.is_some_and(|rechained| rechained.holds(said.seq)) => {
                comparison.rechained += 1;
                continue;
            }
            Some(hash) => Found::Hash(hash.clone()),
            None => Found::NoEnd,
        };
        if comparison.partings.len() < PARTINGS_MAX {
            comparison.partings.push(Parting { heard: said.clone(), found });
        } else {
            comparison.partings_left_out += 1;
        }
    }
    Ok((report, comparison))
}
