//! Keeps the values of secrets out of what is recorded of a run. What an agent prints is raw truth, except for this: each
//! byte of a secret's value becomes `*`, so that every other byte keeps its place. Pure.
//!
//! Honest limits. A value is recognized as it is, and as JSON writes it inside a text; whoever wants to print it otherwise
//! (in base 64, a byte at a time) can. Values of less than [`MASKED_BYTES_MIN`] bytes are too ordinary to be masked.

use memchr::memmem;
use regatta_core::event::attempt::{OMITTED_LISTED_MAX, OmittedArtifact};
use regatta_core::vault::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::artifacts::Gathered;

/// Values shorter than this are not masked: they stand everywhere.
pub(super) const MASKED_BYTES_MIN: usize = 8;

/// What is masked, and under which name people know it.
#[derive(Default)]
pub(super) struct Mask(Vec<(String, Zeroizing<Vec<u8>>)>);

impl Mask {
    /// Has a value masked from now on.
    pub(super) fn add(&mut self, name: &str, value: &SecretString) {
        let plain = value.expose_secret();
        let quoted = Zeroizing::new(serde_json::Value::String(plain.to_owned()).to_string());
        let inside = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
        for text in [plain, inside] {
            let is_known = self.0.iter().any(|(_, needle)| needle.as_slice() == text.as_bytes());
            if text.len() >= MASKED_BYTES_MIN && !is_known {
                self.0.push((name.to_owned(), Zeroizing::new(text.as_bytes().to_vec())));
            }
        }
    }

    /// The name of a secret whose value stands there.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        self.0.iter().find(|(_, needle)| memmem::find(bytes, needle).is_some()).map(|(name, _)| name.as_str())
    }

    /// Takes out the artifacts that hold a value, and says so; what is said of others is masked.
    pub(super) fn withhold(&self, gathered: &mut Gathered) {
        for file in std::mem::take(&mut gathered.files) {
            let Some(secret) = self.found_in(&file.content).or_else(|| self.found_in(file.name.as_bytes())) else {
                gathered.files.push(file);
                continue;
            };
            gathered.omitted_count += 1;
            if gathered.omitted.len() < OMITTED_LISTED_MAX {
                let reason = format!("it holds the value of the secret `{secret}`");
                gathered.omitted.push(OmittedArtifact { name: file.name, reason });
            }
        }
        for omitted in &mut gathered.omitted {
            omitted.name = self.text(std::mem::take(&mut omitted.name));
        }
    }

    /// The text, masked.
    pub(super) fn text(&self, text: String) -> String {
        if self.0.is_empty() {
            return text;
        }
        let mut bytes = text.into_bytes();
        self.cover(&mut bytes, Rest::None);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Masks a piece of output and cuts off its end where that may be the beginning of a value: what is cut off is to be
    /// read again together with what follows.
    pub(super) fn cover(&self, bytes: &mut Vec<u8>, rest: Rest) {
        if self.0.is_empty() {
            return;
        }
        let found: Vec<(usize, usize)> = self.0.iter().flat_map(|(_, needle)| places(bytes, needle)).collect();
        let mut open = self.0.iter().map(|(_, needle)| begun(bytes, needle)).min().unwrap_or(bytes.len());
        let length = bytes.len();
        for (from, to) in &found {
            if let Some(value) = bytes.get_mut(*from..*to) {
                value.fill(b'*');
            }
        }
        match rest {
            // What was cut short by the end is masked as far as it goes.
            Rest::None if length - open >= MASKED_BYTES_MIN => {
                bytes.get_mut(open..).unwrap_or_default().fill(b'*');
            }
            Rest::None => {}
            Rest::Some { must_shrink } => {
                let cut = open;
                // A value that reaches into what is cut off is read again as a whole.
                while let Some((from, _)) = found.iter().find(|(from, to)| *from < open && open < *to) {
                    open = *from;
                }
                // A whole piece of nothing but overlapping values: go on behind the masked ones.
                bytes.truncate(if open == 0 && must_shrink { cut } else { open });
            }
        }
    }
}

/// What follows a piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing, ever.
    None,
    /// Perhaps more.
    Some {
        /// Whether the piece is as long as any can be, so that reading it again would bring nothing new.
        must_shrink: bool,
    },
}

/// Where a value stands, also where it overlaps itself.
fn places(bytes: &[u8], needle: &[u8]) -> Vec<(usize, usize)> {
    let finder = memmem::Finder::new(needle);
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
        places.push((from + found, from + found + needle.len()));
        from += found + 1;
    }
    places
}

/// Where the end of the bytes is the beginning of a value; their length when it is not.
fn begun(bytes: &[u8], needle: &[u8]) -> usize {
    let Some(first) = needle.first() else { return bytes.len() };
    let earliest = bytes.len().saturating_sub(needle.len() - 1);
    let tail = bytes.get(earliest..).unwrap_or_default();
    let begins = |at: &usize| tail.get(*at..).is_some_and(|end| needle.starts_with(end));
    memchr::memchr_iter(*first, tail).find(begins).map_or(bytes.len(), |at| earliest + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifacts::GatheredFile;

    fn mask(values: &[&str]) -> Mask {
        let mut mask = Mask::default();
        for value in values {
            mask.add("name", &SecretString::from(*value));
        }
        mask
    }

    /// Records a text that becomes readable up to each of those places, in pieces of at most `piece` bytes.
    fn recorded(mask: &Mask, text: &[u8], ends: &[usize], piece: usize) -> Vec<u8> {
        let mut recorded: Vec<u8> = Vec::new();
        let ends = ends.iter().map(|end| (*end, false)).chain([(text.len(), true)]);
        for (end, is_over) in ends {
            loop {
                let there = &text[..end.max(recorded.len())];
                let mut bytes: Vec<u8> = there[recorded.len()..].iter().take(piece).copied().collect();
                if bytes.is_empty() {
                    break;
                }
                let is_full = bytes.len() == piece;
                let rest = if is_over && !is_full { Rest::None } else { Rest::Some { must_shrink: is_full } };
                mask.cover(&mut bytes, rest);
                if bytes.is_empty() {
                    break;
                }
                recorded.extend(bytes);
            }
        }
        recorded
    }

    fn check(values: &[&str], text: &str, then: &str) {
        let mask = mask(values);
        for cut in 0..=text.len() {
            let bytes = recorded(&mask, text.as_bytes(), &[cut], 64);
            assert_eq!(String::from_utf8_lossy(&bytes), then, "cut at {cut}");
        }
    }

    #[test]
    fn a_value_is_masked_wherever_a_piece_ends() {
        check(&["canary-42"], "key=canary-42\n", "key=*********\n");
        check(&["canary-42"], "canary-4 canary-42canary-42", "canary-4 ******************");
        check(&["canary-42", "ary-42-and-more"], "<canary-42-and-more>", "<******************>");
        check(&["short"], "short", "short");
        check(&["abababab"], "xababababab-abab", "x**********-abab");
    }

    #[test]
    fn a_value_in_a_text_of_json_is_masked() {
        check(
            &["line one\nline \"two\""],
            r#"{"said":"line one\nline \"two\""}"#,
            r#"{"said":"**********************"}"#,
        );
    }

    #[test]
    fn a_value_cut_short_by_the_end_is_masked_as_far_as_it_goes() {
        check(&["canary-0123456789"], "key=canary-01234", "key=************");
        check(&["canary-0123456789"], "can", "can");
    }

    #[test]
    fn artifacts_that_hold_a_value_are_withheld_and_said() {
        let file =
            |name: &str, content: &[u8]| GatheredFile { name: name.into(), mode: 0o644, content: content.into() };
        let files = vec![file("agent/a", b"<canary-42>"), file("agent/b", b"plain"), file("agent/canary-42", b"")];
        let mut gathered = Gathered { files, ..Gathered::default() };
        mask(&["canary-42"]).withhold(&mut gathered);
        let kept: Vec<&str> = gathered.files.iter().map(|file| file.name.as_str()).collect();
        let said: Vec<String> = gathered.omitted.iter().map(|one| format!("{}: {}", one.name, one.reason)).collect();
        let reason = "it holds the value of the secret `name`";
        assert_eq!(kept, ["agent/b"]);
        assert_eq!(said, [format!("agent/a: {reason}"), format!("agent/*********: {reason}")]);
        assert_eq!(gathered.omitted_count, 2);
    }

    proptest! {
        #[test]
        fn no_way_of_cutting_lets_a_value_through(
            parts in prop::collection::vec(prop_oneof!["[ab]{0,6}", Just("abbaabba".to_owned()), Just("babababab".to_owned())], 0..8),
            mut ends in prop::collection::vec(0..80_usize, 0..6),
            piece in 20..40_usize,
        ) {
            let (values, text) = (["abbaabba", "babababab"], parts.concat());
            ends.retain(|end| *end <= text.len());
            ends.sort_unstable();
            let recorded = recorded(&mask(&values), text.as_bytes(), &ends, piece);
            prop_assert_eq!(recorded.len(), text.len());
            for value in values {
                prop_assert!(memmem::find(&recorded, value.as_bytes()).is_none());
            }
            for (before, after) in text.bytes().zip(&recorded) {
                prop_assert!(before == *after || *after == b'*');
            }
        }
    }
}
