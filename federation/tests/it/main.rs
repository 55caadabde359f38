//! Gateways as the server keeps them, against the fake gateway over a real socket: a memory log, a real vault.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]
#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

mod approvals;
mod connections;
mod world;
