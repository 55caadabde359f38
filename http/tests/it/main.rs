//! The API over a memory log, through the router itself.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]

mod bounds;
mod compose;
mod live;
mod page;
mod pages;
mod pieces;
mod problems;
mod raw;
mod sign_in;
mod sockets;
mod world;
