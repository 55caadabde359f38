//! The providers kept to their promises, on this machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot prepare its case has failed")]

mod contract;
mod docker;
mod engine;
mod fake;
mod place;
mod remote;
mod unprivileged;
