//! Seats at fake gateways: chosen, worked at, lost sight of, ended.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]

mod turns;
mod world;
