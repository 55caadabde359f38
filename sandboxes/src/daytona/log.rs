//! The log of a command in a session: its lines, each marked with the channel it was printed on. Every connection begins with
//! the first byte, so what was taken before is skipped by counting.

use crate::remote::cloud::LINE_BYTES_MAX;

/// Marks a line of standard output.
const OUT: &[u8] = b"\x01\x01\x01";
/// Marks a line of errors.
const ERR: &[u8] = b"\x02\x02\x02";

#[derive(Debug, Default)]
pub(super) struct Log {
    /// Bytes taken so far, over all connections.
    taken: u64,
    /// Bytes this connection has brought.
    brought: u64,
    pending: Vec<u8>,
}

impl Log {
    pub(super) fn begins_anew(&mut self) {
        self.brought = 0;
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        let known = usize::try_from(self.taken.saturating_sub(self.brought)).unwrap_or(usize::MAX).min(piece.len());
        self.brought += piece.len() as u64;
        let fresh = piece.get(known..).unwrap_or_default();
        self.taken += fresh.len() as u64;
        self.pending.extend_from_slice(fresh);
    }

    /// The next whole line of standard output; an error when a line grows past all bounds.
    pub(super) fn next_line(&mut self) -> Result<Option<String>, ()> {
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let rest = self.pending.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.pending, rest);
            line.pop();
            if line.starts_with(ERR) {
                continue;
            }
            let text = line.strip_prefix(OUT).unwrap_or(&line);
            return Ok(Some(String::from_utf8_lossy(text).into_owned()));
        }
        if self.pending.len() > LINE_BYTES_MAX { Err(()) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"\x01\x01\x01o1\n\x02\x02\x02e1\n\x01\x01\x01o2\n";

    fn lines(connections: &[&[&[u8]]]) -> Vec<String> {
        let mut log = Log::default();
        let mut lines = Vec::new();
        for pieces in connections {
            log.begins_anew();
            for piece in *pieces {
                log.push(piece);
                while let Some(line) = log.next_line().expect("short") {
                    lines.push(line);
                }
            }
        }
        lines
    }

    #[test]
    fn a_connection_that_breaks_anywhere_costs_no_line_and_doubles_none() {
        for cut in 0..=BYTES.len() {
            let (before, _) = BYTES.split_at(cut);
            for split in 0..=BYTES.len() {
                let (one, other) = BYTES.split_at(split);
                assert_eq!(lines(&[&[before], &[one, other]]), ["o1", "o2"], "broken at {cut}, then cut at {split}");
            }
        }
    }

    #[test]
    fn without_marks_everything_is_output() {
        assert_eq!(lines(&[&[b"one\ntwo\n"]]), ["one", "two"]);
    }
}
