//! Whether the blobs are whole: each file has the hash it is named by, and each blob an event names is there, unless it
//! was cleaned. Changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regatta_core::cleaning::Owners;
use regatta_core::event::Kind;
use regatta_core::log::verify::Damage;
use regatta_core::log::{ReadMax, Reader};
use regatta_core::{BlobRef, Blobs, Envelope, Seq, blob};

use crate::failure::Failure;
use crate::server::BLOBS;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Whole blobs.
    pub(super) whole: u64,
    pub(super) faults: Vec<Damage>,
}

impl Report {
    fn fault(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Damage { place: place.into(), reason: reason.into() });
    }
}

/// Verifies the blobs of a data directory against what its log names.
pub(super) fn verify(data_dir: &Path) -> Result<Report, Failure> {
    let root = data_dir.join(BLOBS);
    // Before the files: a blob is kept before its event, so what an event names now must be there then.
    let named = named(data_dir)?;
    let mut report = Report::default();
    let files = files(&root).map_err(|error| Failure::caused("the blobs cannot be listed", &error))?;
    if !files.is_empty() {
        let blobs = Blobs::open(&root).map_err(|error| Failure::caused("the blobs cannot be opened", &error))?;
        for (folder, name) in &files {
            let place = format!("{BLOBS}/{folder}/{name}");
            match blobs.get(name) {
                Ok(_) if name.starts_with(folder.as_str()) => report.whole += 1,
                Ok(_) => report.fault(place, "it is not in the folder of its name"),
                Err(blob::Error::Damaged(_)) => report.fault(place, "its content is not what it is named by"),
                Err(error) => report.fault(place, crate::failure::chain(&error)),
            }
        }
    }
    for (hash, by) in named {
        if !files.iter().any(|(_, name)| *name == hash) {
            report.fault(format!("{BLOBS}/{hash}"), format!("it is missing; event {} names it as {}", by.0, by.1));
        }
    }
    Ok(report)
}

/// Every finished file, by folder and name.
fn files(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    if !root.exists() {
        return Ok(found);
    }
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let name = file?.file_name().to_string_lossy().into_owned();
            // One that begins with a dot is just being written, or was when the power went.
            if !name.starts_with('.') {
                found.push((folder.file_name().to_string_lossy().into_owned(), name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Every blob that events name and that should be there: its hash, and the first event that does.
fn named(data_dir: &Path) -> Result<BTreeMap<String, (Seq, &'static str)>, Failure> {
    let unreadable = |error: &dyn std::error::Error| Failure::caused("the log cannot be read", error);
    let reader = Reader::open(data_dir).map_err(|error| unreadable(&error))?;
    let (mut found, mut owners, mut next) = (BTreeMap::new(), Owners::default(), reader.first());
    loop {
        let batch = reader.read_skipping(next, ReadMax::default(), &Kind::RAW);
        let batch = batch.map_err(|error| unreadable(&error))?;
        let Some(last) = batch.last() else {
            found.retain(|hash: &String, _| owners.need(hash));
            return Ok(found);
        };
        next = Seq(last.seq.0 + 1);
        for envelope in &batch {
            owners.fold(envelope);
            for (blob, what) in blobs_of(envelope) {
                found.entry(blob.hash).or_insert((envelope.seq, what));
            }
        }
    }
}

fn blobs_of(envelope: &Envelope) -> Vec<(BlobRef, &'static str)> {
    let Ok(event) = envelope.event() else { return vec![] };
    let named = event.blobs();
    named.into_iter().map(|(blob, what)| (blob.clone(), what)).collect()
}
