//! Gateways of our own, for tests: [`Fake`] does one step after the other as a test says, [`House`] answers by itself as a
//! gateway of 2026.9.6 did, as far as tests need it: the captured greeting, who may come in, pairing, approvals, captured
//! events with numbers of their own, gaps and restarts. Never part of what is delivered; knows nothing of our client.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fake that cannot do its part has failed its test")]
#![expect(clippy::missing_panics_doc, reason = "only tests read it")]
#![expect(clippy::indexing_slicing, reason = "what is not there is null")]
#![expect(missing_docs, reason = "only tests read it")]

mod asked;
mod fake;
mod house;
mod session;

pub use asked::Asked;
pub use fake::{Fake, Guest};
pub use house::House;
