//! Cuts bytes into lines, in whatever pieces they come, holding at most one bounded line.

/// Longest line in bytes. A longer one comes as several.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// The line that has not ended yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Gives every line that ends in `bytes`, without its end.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LINE_BYTES_MAX - self.partial.len();
            let window = bytes.get(..room).unwrap_or(bytes);
            let (taken, rest, ended) = match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => (bytes.get(..end), bytes.get(end + 1..), true),
                None => (Some(window), bytes.get(window.len()..), window.len() == room),
            };
            self.partial.extend_from_slice(taken.unwrap_or_default());
            bytes = rest.unwrap_or_default();
            if ended {
                line(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
                self.partial.clear();
            }
        }
    }

    /// The last line, when it has no end.
    pub(crate) fn end(&mut self) -> Option<Vec<u8>> {
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expected: &[&[u8]]) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| found.push(line.to_vec()));
        }
        found.extend(lines.end());
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_do_not_depend_on_the_pieces_they_come_in() {
        check(&[b"one\ntwo\nthree"], &[b"one", b"two", b"three"]);
        check(&[b"o", b"ne\ntw", b"", b"o", b"\n", b"three"], &[b"one", b"two", b"three"]);
        check(&[b"one\r\n\ntwo\r", b"\n"], &[b"one", b"", b"two"]);
        check(&[], &[]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_never_held_whole() {
        let endless = vec![b'x'; 2 * LINE_BYTES_MAX + 10];
        let pieces: Vec<&[u8]> = endless.chunks(65_537).collect();
        let full = vec![b'x'; LINE_BYTES_MAX];
        check(&pieces, &[&full, &full, b"xxxxxxxxxx"]);
        let (mut lines, mut longest) = (Lines::default(), 0);
        lines.push(&endless, |line| longest = longest.max(line.len()));
        assert_eq!((longest, lines.partial.len()), (LINE_BYTES_MAX, 10));
    }
}
