//! The API over a memory log, through the router itself.

mod live;
mod problems;
mod raw;
mod world;
