//! The real binary, as a person or a script uses it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

mod artifacts;
mod backup;
mod bad_days;
mod clean;
mod commands;
mod demo;
mod docker;
mod door;
mod evidence;
#[cfg(feature = "nats")]
mod follows;
mod full;
mod gateways;
mod help;
mod hostile_log;
mod index;
mod install;
mod kill;
mod kills;
mod moments;
#[path = "../../../core/tests/it/mounted.rs"]
mod mounted;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
#[path = "../../../core/tests/it/nats/server.rs"]
mod nats_server;
mod openclaw;
mod openclaw_attempts;
mod prune;
mod races;
mod remote;
mod rented;
mod repeat;
mod sandbox;
mod schemas;
mod secrets;
mod servers;
mod sign_in;
mod strangers;
mod victim;
mod witness;
