//! What the log is compared with, each used the way its own documentation says is durable and fast.

mod embedded;
mod jetstream;
mod postgres;
mod raw;

pub(crate) use embedded::{fjall, sqlite};
pub(crate) use jetstream::{Durable, Jetstream};
pub(crate) use postgres::Postgres;
pub(crate) use raw::raw;

/// What an event has beside its payload in Regatta's log: the others keep as many bytes more, so that the work is the same.
const ENVELOPE_BYTES: usize = 52;

pub(crate) fn record(payload_bytes: usize) -> Vec<u8> {
    super::load::payload(payload_bytes + ENVELOPE_BYTES)
}
