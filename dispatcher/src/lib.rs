//! Decides what should happen, then makes it happen.
//!
//! The deciders ([`run`], [`attempt`]) and the reactor are pure: they know no clock, no disk and no network. The
//! executor is the one place that touches the world on behalf of a run. This crate never reads a projection: a
//! decision is made from the log's own streams.

pub mod refusal;
pub mod repository;
pub mod request;

pub use refusal::{Refusal, RefusalKind};
pub use request::{RunRequest, Uncommitted};
