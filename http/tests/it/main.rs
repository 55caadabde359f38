//! The API over a memory log, through the router itself.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it stands on")]
#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "what is not there fails the test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else comes fails the test")]

mod archived;
mod artifacts;
mod bounds;
mod catching_up;
mod compose;
mod connections;
mod disk;
mod door;
mod hang_up;
mod live;
mod page;
mod pages;
mod pieces;
mod problems;
mod raw;
mod routes;
mod sandboxes;
mod sign_in;
mod sockets;
mod world;
