//! The door to a gateway, for browsers: one WebSocket that speaks the gateway's own protocol, so that a client made for
//! it can use it. Regatta answers `connect` itself; behind the door everybody shares the one connection of the
//! installation. No credential, Origin or cookie passes it in either direction.
//!
//! What a browser hears is read from the log, so it is on disk, and whoever reads slowly slows only themselves: nothing is
//! queued for a browser but what is on its way. Between two browsers the text of a frame is shared. A browser never hears
//! past a hole: where something is missing, it is let go, and reads anew when it comes again.
//!
//! `frame`, `greeting`, `desk`, `room`, `listening`, `heard` and `gone` are pure; [`Browser`] does what they say.

mod browser;
mod desk;
mod frame;
mod gone;
mod greeting;
mod heard;
mod listening;
mod room;

pub(crate) use browser::{Browser, FRAME_BYTES_MAX};
pub(crate) use heard::{Heard, least};
