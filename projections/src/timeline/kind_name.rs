//! A kind in JSON: its name for people, its number for one this version does not know.

use regatta_core::Kind;
use serde::{Deserialize, Deserializer, Serializer, de};

pub(super) fn serialize<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kind)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let number = || u16::from_str_radix(name.strip_prefix("unknown.0x")?, 16).ok().map(Kind);
    Kind::named(&name).or_else(number).ok_or_else(|| de::Error::custom(format!("{name:?} is no kind of event")))
}
