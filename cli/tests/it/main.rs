//! The real binary, as a person or a script uses it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]

mod bad_days;
mod commands;
mod help;
mod install;
mod races;
mod servers;
