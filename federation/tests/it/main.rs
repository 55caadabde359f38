//! Gateways as the server keeps them, against the fake gateway over a real socket: a memory log, a real vault.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else comes fails the test")]

mod approvals;
mod connections;
mod escalation;
mod rebuilt;
mod rules;
mod world;
