//! The last bytes of something that was printed: bounded, kept as bytes, shown as text.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::attempts::OutputTail;

/// The last bytes printed, and how many there were in all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Tail {
    #[serde(with = "kept_bytes")]
    kept: VecDeque<u8>,
    bytes_total: u64,
}

impl Tail {
    /// Adds bytes at the end and keeps the last `bytes_max`, from the start of a UTF-8 character on.
    pub(crate) fn push(&mut self, bytes: &[u8], bytes_max: usize) {
        self.bytes_total += bytes.len() as u64;
        let room = bytes_max.saturating_sub(bytes.len());
        let excess = self.kept.len().saturating_sub(room);
        self.kept.drain(..excess);
        let last = bytes.get(bytes.len().saturating_sub(bytes_max)..).unwrap_or_default();
        self.kept.extend(last);
        if excess > 0 || last.len() < bytes.len() {
            self.drop_broken_character();
        }
    }

    /// Gives back room that will not be needed: nothing more is printed.
    pub(crate) fn settle(&mut self) {
        self.kept.shrink_to_fit();
    }

    /// Keeps only the last `bytes_max`, when nothing more is printed.
    pub(crate) fn shorten(&mut self, bytes_max: usize) {
        let excess = self.kept.len().saturating_sub(bytes_max);
        if excess > 0 {
            self.kept.drain(..excess);
            self.drop_broken_character();
            self.kept.shrink_to_fit();
        }
    }

    /// A character has at most three bytes after its first.
    fn drop_broken_character(&mut self) {
        for _ in 0..3 {
            if self.kept.front().is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000) {
                break;
            }
            self.kept.pop_front();
        }
    }

    /// As people see it.
    pub(crate) fn view(&self) -> OutputTail {
        let (front, back) = self.kept.as_slices();
        let bytes = [front, back].concat();
        OutputTail {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes_before: self.bytes_total.saturating_sub(bytes.len() as u64),
        }
    }
}

/// In snapshots: as text when it is UTF-8, else in base 64, so that nothing is lost and little is wasted.
mod kept_bytes {
    use std::collections::VecDeque;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kept {
        Text(String),
        Base64(String),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &VecDeque<u8>, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = bytes.iter().copied().collect();
        let kept = match String::from_utf8(bytes) {
            Ok(text) => Kept::Text(text),
            Err(error) => Kept::Base64(STANDARD.encode(error.as_bytes())),
        };
        kept.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VecDeque<u8>, D::Error> {
        match Kept::deserialize(deserializer)? {
            Kept::Text(text) => Ok(text.into_bytes().into()),
            Kept::Base64(text) => STANDARD.decode(text).map(VecDeque::from).map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], bytes_max: usize, text: &str, bytes_before: u64) {
        let mut tail = Tail::default();
        for piece in pieces {
            tail.push(piece, bytes_max);
            assert!(tail.kept.len() <= bytes_max);
        }
        assert_eq!(tail.view(), OutputTail { text: text.to_owned(), bytes_before });
        let json = serde_json::to_vec(&tail).expect("json");
        assert_eq!(serde_json::from_slice::<Tail>(&json).expect("tail"), tail);
    }

    #[test]
    fn a_tail_keeps_the_end_of_all_pieces() {
        check(&[], 4, "", 0);
        check(&[b"ab", b"cd"], 4, "abcd", 0);
        check(&[b"ab", b"cde"], 4, "bcde", 1);
        check(&[b"ab", b"cdefgh"], 4, "efgh", 4);
        check(&[b"ab", b"cdefgh", b"i"], 4, "fghi", 5);
    }

    #[test]
    fn a_tail_never_begins_inside_a_character() {
        check(&["aé€z".as_bytes()], 6, "é€z", 1);
        check(&["aé€z".as_bytes()], 5, "€z", 3);
        check(&["aé€".as_bytes(), b"zz"], 4, "zz", 6);
    }

    #[test]
    fn bytes_that_are_no_text_survive_a_snapshot() {
        check(&[b"\xff\x00a"], 8, "\u{fffd}\0a", 0);
        check(&[b"ab\xe2\x82"], 8, "ab\u{fffd}", 0);
    }
}
