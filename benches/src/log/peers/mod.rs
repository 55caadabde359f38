//! What the log is compared with, each used the way its own documentation says is durable and fast.

mod embedded;
mod jetstream;
mod postgres;
mod raw;

pub(crate) use embedded::{fjall, sqlite};
pub(crate) use jetstream::{Durable, Jetstream};
pub(crate) use postgres::Postgres;
pub(crate) use raw::raw;

use bytes::Bytes;

use super::events::{Dice, event};
use super::load::Turns;

/// What an event has beside its payload in Regatta's log: the others keep as many bytes more, so that the work is the same.
const ENVELOPE_BYTES: usize = 72;

/// The same payloads, each behind an envelope of bytes that no compressor makes smaller.
pub(crate) fn records(payload_bytes: usize) -> Turns<Bytes> {
    Turns::new(|n| {
        let mut dice = Dice(!n);
        let envelope = (0..ENVELOPE_BYTES / size_of::<u64>()).flat_map(|_| dice.roll(u64::MAX).to_le_bytes());
        let payload = event(n, payload_bytes).encode().2;
        envelope.chain(payload).collect()
    })
}
