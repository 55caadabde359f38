//! The vault's file: lines of text, each with a checksum that continues the one before, the last with a keyed hash over
//! everything. So damage is told with its line by anybody, and a change by somebody without the key is told by whoever
//! has it. Pure: bytes in, bytes out.
//!
//! ```text
//! <checksum> {"format":"regatta-vault","version":1,"generation":7,"key":…,"key_id":…}
//! <checksum> {"name":"openai","generation":3,…,"sealed":"<nonce and ciphertext>"}
//! <checksum> {"entries":1,"mac":"…"}
//! ```

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::SecretName;
use super::key::{MasterKey, Stretch};
use crate::event::secret::Scope;

/// What the first line says it is.
const FORMAT: &str = "regatta-vault";
/// The version of the shape that is written.
const VERSION: u32 = 1;
/// Characters of a line's checksum.
const CHECKSUM_CHARS: usize = 32;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeySource {
    /// The file `key` beside the vault's.
    File,
    /// A passphrase.
    Passphrase(Stretch),
    /// The keyring of the desktop session, under the key's id.
    Keyring,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    generation: u64,
    key: KeySource,
    key_id: String,
}

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: SecretName,
    /// Where the file stood when it got this value; sealed in with it.
    pub(super) generation: u64,
    pub(super) made_at_us: u64,
    pub(super) changed_at_us: u64,
    pub(super) scope: Scope,
    pub(super) sealed: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    entries: usize,
    mac: String,
}

/// What the file holds, as far as anybody can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// Counts every change of the file.
    pub(super) generation: u64,
    pub(super) key: KeySource,
    pub(super) key_id: String,
    pub(super) entries: BTreeMap<SecretName, Entry>,
}

/// Where the file is damaged and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// A file that is whole; whether it is genuine only the key can tell.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) contents: Contents,
    signed: Vec<u8>,
    mac: String,
}

impl Whole {
    /// Whether it was written by who has the key.
    pub(super) fn is_genuine(&self, key: &MasterKey) -> bool {
        // Hashes compare in constant time.
        blake3::Hash::from_hex(&self.mac).is_ok_and(|mac| mac == key.mac(&self.signed))
    }
}

impl Entry {
    /// What its value is sealed under: its name and when it was set, so that no value can take another's place.
    pub(super) fn words(&self) -> String {
        words(&self.name, self.generation)
    }
}

/// What a value is sealed under.
pub(super) fn words(name: &SecretName, generation: u64) -> String {
    format!("{FORMAT}/{VERSION}\n{name}\n{generation}")
}

/// The file's bytes.
pub(super) fn encode(contents: &Contents, key: &MasterKey) -> Vec<u8> {
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        generation: contents.generation,
        key: contents.key.clone(),
        key_id: contents.key_id.clone(),
    };
    let mut checksum = String::new();
    let mut bytes = Vec::new();
    push(&mut bytes, &mut checksum, &header);
    for entry in contents.entries.values() {
        push(&mut bytes, &mut checksum, entry);
    }
    let mac = key.mac(&bytes).to_hex().to_string();
    push(&mut bytes, &mut checksum, &End { entries: contents.entries.len(), mac });
    bytes
}

fn push<T: Serialize>(bytes: &mut Vec<u8>, checksum: &mut String, line: &T) {
    #[expect(clippy::expect_used, reason = "lines have string keys and derived impls, so they always serialize")]
    let json = serde_json::to_string(line).expect("line serializes");
    *checksum = continued(checksum, &json);
    bytes.extend_from_slice(format!("{checksum} {json}\n").as_bytes());
}

fn continued(before: &str, json: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before.as_bytes()).update(json.as_bytes());
    hasher.finalize().to_hex().chars().take(CHECKSUM_CHARS).collect()
}

/// Reads the file's bytes; what is not exactly as written is damage.
pub(super) fn decode(bytes: &[u8]) -> Result<Whole, Damage> {
    let damage = |line: usize, reason: &str| Damage { line, reason: reason.to_owned() };
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        damage(before.iter().filter(|byte| **byte == b'\n').count() + 1, "it is no text")
    })?;
    let (mut checksum, mut lines, mut length) = (String::new(), Vec::new(), 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let whole = line.strip_suffix('\n').ok_or_else(|| damage(index + 1, "it ends in the middle of the line"))?;
        let split = whole.split_at_checked(CHECKSUM_CHARS).and_then(|(sum, rest)| Some((sum, rest.strip_prefix(' ')?)));
        let (sum, json) = split.ok_or_else(|| damage(index + 1, "it has no checksum"))?;
        checksum = continued(&checksum, json);
        if sum != checksum {
            return Err(damage(index + 1, "its checksum is wrong"));
        }
        lines.push((length, json));
        length += line.len();
    }
    let count = lines.len();
    let (Some((_, first)), Some((signed, last))) = (lines.first(), lines.last().filter(|_| count > 1)) else {
        return Err(damage(count + 1, "the file ends too early"));
    };
    let end: End = read(last).map_err(|_| damage(count + 1, "the file ends too early"))?;
    let header: Header = read(first).map_err(|reason| Damage { line: 1, reason })?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(damage(1, "it is of a version this program does not know"));
    }
    let mut entries = BTreeMap::new();
    for (index, (_, json)) in lines.iter().enumerate().take(count - 1).skip(1) {
        let entry: Entry = read(json).map_err(|reason| Damage { line: index + 1, reason })?;
        entries.insert(entry.name.clone(), entry);
    }
    if entries.len() != end.entries {
        return Err(damage(count, "it counts other secrets than there are"));
    }
    let Header { generation, key, key_id, .. } = header;
    let contents = Contents { generation, key, key_id, entries };
    Ok(Whole { contents, signed: bytes.get(..*signed).unwrap_or_default().to_vec(), mac: end.mac })
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> MasterKey {
        MasterKey::from_text(&format!("{}=", "A".repeat(43))).expect("key")
    }

    fn contents(values: &BTreeMap<SecretName, String>) -> Contents {
        let key = key();
        let entry = |(index, (name, value)): (usize, (&SecretName, &String))| {
            let generation = index as u64 + 1;
            let sealed = key.seal(&words(name, generation), value).expect("sealed");
            let scope = Scope { everywhere: index == 0, repositories: [format!("/home/ada/{index}")].into() };
            let entry =
                Entry { name: name.clone(), generation, made_at_us: 1, changed_at_us: generation, scope, sealed };
            (name.clone(), entry)
        };
        let entries: BTreeMap<_, _> = values.iter().enumerate().map(entry).collect();
        Contents { generation: entries.len() as u64, key: KeySource::File, key_id: key.id(), entries }
    }

    fn values() -> impl Strategy<Value = BTreeMap<SecretName, String>> {
        let name = "[A-Za-z0-9][A-Za-z0-9._-]{0,12}".prop_map(|name| name.parse::<SecretName>().expect("name"));
        prop::collection::btree_map(name, "\\PC{1,60}", 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_is_read(values in values()) {
            use secrecy::ExposeSecret as _;
            let (contents, key) = (contents(&values), key());
            let whole = decode(&encode(&contents, &key)).expect("whole");
            prop_assert!(whole.is_genuine(&key));
            prop_assert_eq!(&whole.contents, &contents);
            for entry in whole.contents.entries.values() {
                let opened = key.open(&entry.words(), &entry.sealed).expect("opens");
                prop_assert_eq!(opened.expose_secret(), values.get(&entry.name).expect("known"));
            }
        }

        #[test]
        fn a_file_cut_anywhere_is_refused(values in values(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&contents(&values), &key());
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_is_refused_with_its_line() {
        let values = [("openai", "canary"), ("nats", "another")]
            .map(|(name, value)| (name.parse().expect("name"), value.to_owned()));
        let bytes = encode(&contents(&values.into()), &key());
        let mut line = 1;
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                let damage = decode(&flipped).expect_err("refused");
                assert!(damage.line == line || damage.line == line + 1, "byte {place} bit {bit}: {damage:?}");
            }
            line += usize::from(bytes[place] == b'\n');
        }
    }

    #[test]
    fn a_change_without_the_key_is_told_although_the_checksums_fit() {
        let values = [("openai".parse().expect("name"), "canary".to_owned())].into();
        let (mut changed, other) = (contents(&values), MasterKey::draw().expect("key"));
        changed.entries.values_mut().for_each(|entry| entry.scope.everywhere = !entry.scope.everywhere);
        let forged = decode(&encode(&changed, &other)).expect("whole");
        assert!(!forged.is_genuine(&key()));
    }

    #[test]
    fn a_value_opens_only_under_its_name_and_its_time() {
        let (key, name) = (key(), "openai".parse().expect("name"));
        let sealed = key.seal(&words(&name, 3), "canary").expect("sealed");
        let other = "nats".parse().expect("name");
        assert!(key.open(&words(&name, 3), &sealed).is_some());
        assert!(key.open(&words(&name, 2), &sealed).is_none(), "an old ciphertext put back");
        assert!(key.open(&words(&other, 3), &sealed).is_none(), "a ciphertext under another name");
        assert!(MasterKey::draw().expect("key").open(&words(&name, 3), &sealed).is_none());
    }
}
