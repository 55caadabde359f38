//! Names of things: runs, attempts, sandboxes, installs, gateways and what is in them. Parsing is strict, so that an id is
//! safe in a path, a branch name, a label and a NATS subject. Knows nothing of what the ids stand for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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

/// Longest name of a gateway, or of a rule, in bytes.
pub const GATEWAY_NAME_BYTES_MAX: usize = 32;
/// Longest id a gateway gives a question, in bytes.
const QUESTION_BYTES_MAX: usize = 64;

/// Whether people may call something so.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=GATEWAY_NAME_BYTES_MAX).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(fits)
}

/// What a gateway is called here: 1 to 32 of `a-z 0-9 -`, a letter or digit first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayName(Arc<str>);

impl GatewayName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GatewayName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "a gateway's name (1 to 32 of a-z, 0-9 and -, as main)";
        if is_name(text) { Ok(Self(text.into())) } else { Err(invalid(text, what)) }
    }
}

/// What a rule is called: 1 to 32 of `a-z 0-9 -`, a letter or digit first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Arc<str>);

impl FromStr for RuleName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "a rule's name (1 to 32 of a-z, 0-9 and -, as builds)";
        if is_name(text) { Ok(Self(text.into())) } else { Err(invalid(text, what)) }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one question an agent asks a person: `<gateway>.<the gateway's id>`, as
/// `main.a734987a-e5f9-4cc1-9920-e234a03b6053`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApprovalId {
    /// The gateway that asks.
    pub gateway: GatewayName,
    question: Arc<str>,
}

impl ApprovalId {
    /// The question of that id at that gateway.
    ///
    /// # Errors
    /// When no gateway gives such an id.
    pub fn of(gateway: &GatewayName, question: &str) -> Result<Self, InvalidId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
        let is_id = (1..=QUESTION_BYTES_MAX).contains(&question.len()) && question.bytes().all(fits);
        let what = "the id of a question (1 to 64 letters, digits, -, _ and :)";
        let id = || Self { gateway: gateway.clone(), question: question.into() };
        is_id.then(id).ok_or_else(|| invalid(question, what))
    }

    /// The gateway's own id of it.
    #[must_use]
    pub fn question(&self) -> &str {
        &self.question
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.gateway, self.question)
    }
}

impl FromStr for ApprovalId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let what = "a question's id (<gateway>.<id>, as regatta approvals shows it)";
        let (gateway, question) = text.split_once('.').ok_or_else(|| invalid(text, what))?;
        Self::of(&gateway.parse()?, question)
    }
}

/// Names one conversation of a gateway: eight characters, derived from the gateway and its session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThreadId(RunId);

impl ThreadId {
    /// The conversation of a session: the same session, the same id.
    #[must_use]
    pub fn of(gateway: &GatewayName, session: &str) -> Self {
        Self(RunId::derived(&format!("{gateway}\n{session}")))
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for ThreadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| invalid(text, "a thread's id (eight characters, as 7q2k9x0m)"))
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
text_form!(RunId, Slot, AttemptId, InstallId, SandboxKey, GatewayName, RuleName, ApprovalId, ThreadId);

crate::text_schema! {
    RunId "^[0-9a-hjkmnp-tv-z]{8}$" "7q2k9x0m"
    Slot "^[a-z]{1,2}$" "b"
    AttemptId "^[0-9a-hjkmnp-tv-z]{8}\\.[a-z]{1,2}$" "7q2k9x0m.b"
    SandboxKey "^regatta-[a-z0-9]{4,16}-[0-9a-hjkmnp-tv-z]{8}-[a-z]{1,2}-[0-9]+$" "regatta-abcd-7q2k9x0m-b-1"
    GatewayName "^[a-z0-9][a-z0-9-]{0,31}$" "main"
    RuleName "^[a-z0-9][a-z0-9-]{0,31}$" "builds"
    ApprovalId "^[a-z0-9][a-z0-9-]{0,31}\\.[A-Za-z0-9_:-]{1,64}$" "main.a734987a-e5f9-4cc1-9920-e234a03b6053"
    ThreadId "^[0-9a-hjkmnp-tv-z]{8}$" "7q2k9x0m"
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        reads_back::<GatewayName>("main-2");
        reads_back::<ApprovalId>("main-2.a734987a-e5f9-4cc1-9920-e234a03b6053");
        reads_back::<ApprovalId>("main.plugin:a734987a-e5f9-4cc1-9920-e234a03b6053");
        reads_back::<ThreadId>("7q2k9x0m");
    }

    #[test]
    fn ids_that_could_escape_a_path_are_refused() {
        for text in ["../../et", "7Q2K9X0M", "7q2k9x0", "", "7q2k9x0/"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
        assert!("regatta-a/b-7q2k9x0m-b-1".parse::<SandboxKey>().is_err());
        assert!("regatta-abcd-7q2k9x0m-b-1-2".parse::<SandboxKey>().is_err());
        for text in ["", "-a", "a/b", "A", "a.b", "..", &"a".repeat(33)] {
            assert!(text.parse::<GatewayName>().is_err(), "{text}");
        }
        for text in ["main", "main.", ".x", "main.a/b", "main.a.b", &format!("main.{}", "x".repeat(65))] {
            assert!(text.parse::<ApprovalId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_has_one_thread_and_its_name_is_its_gateways() {
        let gateway = |name: &str| name.parse::<GatewayName>().expect("a name");
        let one = ThreadId::of(&gateway("main"), "agent:main:main");
        assert_eq!(one, ThreadId::of(&gateway("main"), "agent:main:main"));
        assert_ne!(one, ThreadId::of(&gateway("other"), "agent:main:main"));
    }

    #[test]
    fn every_slot_has_its_own_letters() {
        let letters: std::collections::BTreeSet<String> =
            (0..SLOTS_MAX).filter_map(Slot::new).map(|slot| slot.to_string()).collect();
        assert_eq!(letters.len(), SLOTS_MAX);
        assert_eq!(Slot::new(SLOTS_MAX), None);
    }
}
