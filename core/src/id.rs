//! Names of things: runs, attempts, sandboxes, installs. Parsing is strict, so that an id is safe in a path, a branch
//! name, a label and a NATS subject. Knows nothing of what the ids stand for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Characters of a run id: Crockford base 32, lower case, without `i l o u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters in a run id: 40 bits.
const RUN_ID_LEN: usize = 8;
/// Most attempts one run may have; two letters name them all.
pub const SLOTS_MAX: usize = 26 + 26 * 26;

/// An id that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct InvalidId {
    /// What was given, cut to 64 characters.
    pub text: String,
    /// What was expected, with an example.
    pub what: &'static str,
}

fn invalid(text: &str, what: &'static str) -> InvalidId {
    InvalidId { text: text.chars().take(64).collect(), what }
}

/// Names one run: eight characters of Crockford base 32, as `7q2k9x0m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId([u8; RUN_ID_LEN]);

impl RunId {
    /// Makes an id from the low 40 bits.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        let mut text = [b'0'; RUN_ID_LEN];
        for (index, place) in text.iter_mut().enumerate() {
            let five = (bits >> (5 * index)) & 31;
            *place = ALPHABET.get(usize::try_from(five).unwrap_or(0)).copied().unwrap_or(b'0');
        }
        Self(text)
    }

    /// The id a text stands for: the same text, the same id.
    #[must_use]
    pub fn derived(text: &str) -> Self {
        let hash = blake3::hash(text.as_bytes());
        let (low, _) = hash.as_bytes().split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        Self::from_bits(u128::from_le_bytes(*low))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RunId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "a run id (eight characters, as 7q2k9x0m)";
        let bytes: [u8; RUN_ID_LEN] = text.as_bytes().try_into().map_err(|_| invalid(text, what))?;
        if bytes.iter().all(|byte| ALPHABET.contains(byte)) { Ok(Self(bytes)) } else { Err(invalid(text, what)) }
    }
}

/// The place of an attempt in its run, from 0; shown as letters: `a` to `z`, then `aa`, `ab`, …
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slot(u16);

impl Slot {
    /// The slot at `index`, or nothing past [`SLOTS_MAX`].
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        (index < SLOTS_MAX).then_some(())?;
        u16::try_from(index).ok().map(Self)
    }

    /// The place, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |n: u16| char::from(b'a' + u8::try_from(n % 26).unwrap_or(0));
        if self.0 >= 26 {
            write!(f, "{}", letter(self.0 / 26 - 1))?;
        }
        write!(f, "{}", letter(self.0))
    }
}

impl FromStr for Slot {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "an attempt's letters (a to z, then aa, ab, …)";
        let place = |byte: u8| byte.is_ascii_lowercase().then(|| usize::from(byte - b'a'));
        let index = match *text.as_bytes() {
            [only] => place(only),
            [first, second] => place(first).zip(place(second)).map(|(first, second)| 26 * (first + 1) + second),
            _ => None,
        };
        index.and_then(Self::new).ok_or_else(|| invalid(text, what))
    }
}

/// Names one attempt: `<run>.<slot>`, as `7q2k9x0m.b`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId {
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the run.
    pub slot: Slot,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.slot)
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (run, slot) = text.split_once('.').ok_or_else(|| invalid(text, "an attempt id (as 7q2k9x0m.b)"))?;
        Ok(Self { run: run.parse()?, slot: slot.parse()? })
    }
}

/// Names this installation in labels, sandbox keys and NATS subjects: 4 to 16 characters of `a-z0-9`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstallId(String);

impl InstallId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstallId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = (4..=16).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(text, "an install id (4 to 16 characters of a-z0-9)"))
        }
    }
}

/// The deterministic name of one sandbox: `regatta-<install>-<run>-<slot>-<epoch>`. It is the idempotency key, the
/// label and the folder or container name, so that a create whose answer was lost can be found again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxKey {
    /// The installation that owns it.
    pub install: InstallId,
    /// The attempt it is for.
    pub attempt: AttemptId,
    /// The fencing number of the lease it was made under, from 1.
    pub epoch: u32,
}

impl fmt::Display for SandboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "regatta-{}-{}-{}-{}", self.install, self.attempt.run, self.attempt.slot, self.epoch)
    }
}

impl FromStr for SandboxKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "a sandbox key (regatta-<install>-<run>-<slot>-<epoch>)";
        let mut parts = text.split('-');
        let (Some("regatta"), Some(install), Some(run), Some(slot), Some(epoch), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid(text, what));
        };
        let epoch = epoch.parse().map_err(|_| invalid(text, what))?;
        Ok(Self { install: install.parse()?, attempt: AttemptId { run: run.parse()?, slot: slot.parse()? }, epoch })
    }
}

macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> { text.parse() }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self { id.to_string() }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
    )*};
}
text_form!(RunId, Slot, AttemptId, InstallId, SandboxKey);

crate::text_schema! {
    RunId "^[0-9a-hjkmnp-tv-z]{8}$" "7q2k9x0m"
    Slot "^[a-z]{1,2}$" "b"
    AttemptId "^[0-9a-hjkmnp-tv-z]{8}\\.[a-z]{1,2}$" "7q2k9x0m.b"
    SandboxKey "^regatta-[a-z0-9]{4,16}-[0-9a-hjkmnp-tv-z]{8}-[a-z]{1,2}-[0-9]+$" "regatta-abcd-7q2k9x0m-b-1"
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for InstallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_back<T: FromStr<Err = InvalidId> + fmt::Display>(text: &str) {
        match text.parse::<T>() {
            Ok(id) => assert_eq!(id.to_string(), text),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn ids_read_back_as_they_were_written() {
        reads_back::<RunId>("7q2k9x0m");
        reads_back::<Slot>("a");
        reads_back::<Slot>("zz");
        reads_back::<AttemptId>("7q2k9x0m.ab");
        reads_back::<SandboxKey>("regatta-abcd-7q2k9x0m-b-12");
    }

    #[test]
    fn ids_that_could_escape_a_path_are_refused() {
        for text in ["../../et", "7Q2K9X0M", "7q2k9x0", "", "7q2k9x0/"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
        assert!("regatta-a/b-7q2k9x0m-b-1".parse::<SandboxKey>().is_err());
        assert!("regatta-abcd-7q2k9x0m-b-1-2".parse::<SandboxKey>().is_err());
    }

    #[test]
    fn every_slot_has_its_own_letters() {
        let letters: std::collections::BTreeSet<String> =
            (0..SLOTS_MAX).filter_map(Slot::new).map(|slot| slot.to_string()).collect();
        assert_eq!(letters.len(), SLOTS_MAX);
        assert_eq!(Slot::new(SLOTS_MAX), None);
    }
}
