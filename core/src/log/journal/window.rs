//! Reads a file piece by piece through one bounded buffer, so that many small blocks cost few system calls and a
//! hostile length costs no memory.

use std::io;
use std::sync::Arc;

use super::disk::{DiskFile, read_full};

/// A view that moves over a file.
#[derive(Debug)]
pub(crate) struct Window {
    file: Arc<dyn DiskFile>,
    bytes: Vec<u8>,
    start: u64,
    /// Nothing is read at or past this offset.
    end: u64,
    /// Least bytes read at once.
    step: usize,
}

impl Window {
    /// A window over the bytes before `end`.
    pub(crate) fn new(file: Arc<dyn DiskFile>, end: u64, step: usize) -> Self {
        Self { file, bytes: Vec::new(), start: 0, end, step }
    }

    /// Where the bytes end.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes from `at` on: `len` of them, fewer only before the end.
    pub(crate) fn get(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = len.min(left);
        let held = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let held = held.filter(|skip| skip.saturating_add(len) <= self.bytes.len());
        let skip = match held {
            Some(skip) => skip,
            None => {
                let ahead = len.max(self.step).min(left);
                match self.fill(at, ahead) {
                    // What cannot be read may be further on than what is asked for.
                    Err(_) if ahead > len => self.fill(at, len)?,
                    filled => filled?,
                }
                0
            }
        };
        let rest = self.bytes.get(skip..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// Forgets what was read, so that it is read again.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }

    fn fill(&mut self, at: u64, len: usize) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.resize(len, 0);
        self.start = at;
        let filled = read_full(&*self.file, &mut self.bytes, at);
        self.bytes.truncate(*filled.as_ref().unwrap_or(&0));
        filled.map(drop)
    }
}
