//! The least any durable log must do: append to a file, one `fdatasync` for whatever waited. No check, no chain, no index.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::super::committer::Committer;
use crate::Outcome;

pub(crate) fn raw(dir: &Path, payload_bytes: usize) -> Outcome<Committer> {
    let mut file = File::options().create(true).append(true).open(dir.join("raw"))?;
    let mut bytes = Vec::new();
    Ok(Committer::start(super::records(payload_bytes), move |group| {
        bytes.clear();
        group.iter().for_each(|record| bytes.extend_from_slice(record));
        file.write_all(&bytes)?;
        Ok(file.sync_data()?)
    }))
}
