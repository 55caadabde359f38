//! The providers kept to their promises, on this machine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot prepare its case has failed"
)]
#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

mod contract;
mod docker;
mod engine;
mod fake;
mod full;
#[expect(dead_code, reason = "filled to the last byte only by the tests of the log and of the program")]
#[path = "../../../core/tests/it/mounted.rs"]
mod mounted;
mod place;
mod remote;
mod unprivileged;
