//! Runs as views remember them: open while something happens to them, packed into few bytes when they are long over.
//! Looking at a packed one unpacks it for the one who looks; a fact about it opens it again. Clones share what they
//! hold, so that a snapshot is written from a clone while the views go on. Knows nothing of what is remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_core::RunId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How hard packing tries: packing is done once for each run while the log is folded, so it has to be quick.
const LEVEL: i32 = 1;
/// Largest run that is packed; what is larger stays open.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// What is remembered of each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shelf<V: Clone> {
    open: BTreeMap<RunId, Arc<V>>,
    #[serde(with = "as_text")]
    packed: BTreeMap<RunId, Arc<[u8]>>,
}

impl<V: Clone> Default for Shelf<V> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), packed: BTreeMap::new() }
    }
}

impl<V: Clone + Serialize + DeserializeOwned> Shelf<V> {
    /// Remembers a run. Whether it was known before.
    pub(crate) fn insert(&mut self, run: RunId, value: V) -> bool {
        let was_packed = self.packed.remove(&run).is_some();
        self.open.insert(run, Arc::new(value)).is_some() || was_packed
    }

    /// What is remembered of a run.
    pub(crate) fn get(&self, run: RunId) -> Option<Arc<V>> {
        self.open.get(&run).cloned().or_else(|| self.packed.get(&run).and_then(|bytes| unpack(bytes)).map(Arc::new))
    }

    /// What is remembered of a run that is not packed.
    pub(crate) fn get_open(&self, run: RunId) -> Option<&V> {
        self.open.get(&run).map(|value| &**value)
    }

    /// What is remembered of a run, to be changed; a packed one is opened.
    pub(crate) fn get_mut(&mut self, run: RunId) -> Option<&mut V> {
        if !self.open.contains_key(&run) {
            let value = unpack(&self.packed.remove(&run)?)?;
            self.open.insert(run, Arc::new(value));
        }
        self.open.get_mut(&run).map(Arc::make_mut)
    }

    /// Whether a run is packed.
    pub(crate) fn is_packed(&self, run: RunId) -> bool {
        // Whatever happens is nearly always about an open one.
        !self.open.contains_key(&run) && self.packed.contains_key(&run)
    }

    /// Packs a run that is open.
    pub(crate) fn pack(&mut self, run: RunId) {
        if let Some(bytes) = self.open.get(&run).and_then(pack) {
            self.open.remove(&run);
            self.packed.insert(run, bytes);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open.len() + self.packed.len()
    }
}

fn pack<V: Serialize>(value: &V) -> Option<Arc<[u8]>> {
    let bytes = serde_json::to_vec(value).ok().filter(|bytes| bytes.len() <= UNPACKED_BYTES_MAX)?;
    zstd::bulk::compress(&bytes, LEVEL).ok().map(Arc::from)
}

fn unpack<V: DeserializeOwned>(bytes: &[u8]) -> Option<V> {
    let bytes = zstd::bulk::decompress(bytes, UNPACKED_BYTES_MAX).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// In snapshots: all packed runs as one text, which is read back at the speed of memory.
mod as_text {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use regatta_core::RunId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        packed: &BTreeMap<RunId, Arc<[u8]>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut all = Vec::new();
        for (run, bytes) in packed {
            let len = u32::try_from(bytes.len()).map_err(serde::ser::Error::custom)?;
            all.extend_from_slice(run.as_str().as_bytes());
            all.extend_from_slice(&len.to_le_bytes());
            all.extend_from_slice(bytes);
        }
        serializer.serialize_str(&STANDARD.encode(all))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<RunId, Arc<[u8]>>, D::Error> {
        // Base 64 is never escaped, so the text is borrowed; a reader that cannot lend it is no reader of ours.
        let text = <&str>::deserialize(deserializer)?;
        let all = STANDARD.decode(text).map_err(de::Error::custom)?;
        split(&all).ok_or_else(|| de::Error::custom("packed runs are cut off"))
    }

    fn split(mut rest: &[u8]) -> Option<BTreeMap<RunId, Arc<[u8]>>> {
        let mut packed = Vec::new();
        while let Some((run, after)) = rest.split_first_chunk::<8>() {
            let (len, after) = after.split_first_chunk::<4>()?;
            let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
            packed.push((str::from_utf8(run).ok()?.parse().ok()?, Arc::from(bytes)));
            rest = after;
        }
        rest.is_empty().then(|| packed.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u128) -> RunId {
        RunId::from_bits(number)
    }

    #[test]
    fn a_packed_run_says_the_same_and_opens_when_it_changes() {
        let mut shelf: Shelf<Vec<String>> = Shelf::default();
        assert!(!shelf.insert(run(1), vec!["a".repeat(1_000)]));
        assert!(!shelf.insert(run(2), vec!["b".to_owned()]));
        let before = shelf.get(run(1));
        shelf.pack(run(1));
        assert_eq!((shelf.is_packed(run(1)), shelf.is_packed(run(2)), shelf.len()), (true, false, 2));
        assert_eq!((shelf.get(run(1)), shelf.get_open(run(1))), (before, None));
        let restored: Shelf<Vec<String>> =
            serde_json::from_slice(&serde_json::to_vec(&shelf).expect("json")).expect("shelf");
        assert_eq!(restored, shelf);
        shelf.get_mut(run(1)).expect("known").push("more".to_owned());
        assert_eq!((shelf.is_packed(run(1)), shelf.get(run(1)).expect("known").len()), (false, 2));
        assert!(shelf.insert(run(2), vec![]) && shelf.get(run(3)).is_none() && shelf.get_mut(run(3)).is_none());
    }

    #[test]
    fn a_change_leaves_clones_as_they_were() {
        let mut shelf: Shelf<Vec<u8>> = Shelf::default();
        shelf.insert(run(1), vec![1]);
        let clone = shelf.clone();
        shelf.get_mut(run(1)).expect("known").push(2);
        assert_eq!((clone.get(run(1)), shelf.get(run(1))), (Some(Arc::new(vec![1])), Some(Arc::new(vec![1, 2]))));
    }

    #[test]
    fn packed_runs_that_are_cut_off_are_refused() {
        let mut shelf: Shelf<Vec<u8>> = Shelf::default();
        shelf.insert(run(1), vec![1; 100]);
        shelf.pack(run(1));
        let text = serde_json::to_string(&shelf).expect("json");
        for damaged in [text.replace("\"}", "AAAA\"}"), text.replace("\"}", "!\"}")] {
            assert!(serde_json::from_str::<Shelf<Vec<u8>>>(&damaged).is_err(), "{damaged}");
        }
    }
}
