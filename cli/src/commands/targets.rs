//! What a command is about: a run, an attempt, or either. Written as people write them; the server finds them.

use std::fmt;
use std::str::FromStr;

use regatta_core::Slot;

/// Longest id of a run.
const RUN_CHARS_MAX: usize = 8;

/// A run: its id, the beginning of one, or `last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRef(String);

/// A run, or one attempt of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) run: RunRef,
    pub(crate) slot: Option<Slot>,
}

/// One attempt: `RUN.LETTER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptRef {
    pub(crate) run: RunRef,
    pub(crate) slot: Slot,
}

impl FromStr for RunRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=RUN_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_id) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a run is an id, the beginning of one, or `last`".to_owned())
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (run, slot) = match text.split_once('.') {
            Some((run, slot)) => (run, Some(slot.parse().map_err(|error| format!("{error}"))?)),
            None => (text, None),
        };
        Ok(Self { run: run.parse()?, slot })
    }
}

impl FromStr for AttemptRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target: Target = text.parse()?;
        let slot = target.slot.ok_or("an attempt is RUN.LETTER, as 7q2k9x0m.b or last.b")?;
        Ok(Self { run: target.run, slot })
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot {
            Some(slot) => write!(f, "{}.{slot}", self.run),
            None => self.run.fmt(f),
        }
    }
}

impl fmt::Display for AttemptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_attempts_are_read_and_nothing_that_could_be_a_path() {
        for text in ["7q2k9x0m", "7q", "last"] {
            assert_eq!(text.parse::<RunRef>().map(|run| run.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "../x", "7q2k9x0m0", "7q?x", "LAST", "7q.b"] {
            assert!(text.parse::<RunRef>().is_err(), "{text}");
        }
        assert_eq!("last.ab".parse::<AttemptRef>().map(|attempt| attempt.to_string()), Ok("last.ab".to_owned()));
        for text in ["7q", "7q.", "7q.B", "7q.b.c", ".b"] {
            assert!(text.parse::<AttemptRef>().is_err(), "{text}");
        }
        for text in ["7q", "last.b"] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(text.to_owned()));
        }
    }
}
