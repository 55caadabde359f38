//! Decides what should happen, then makes it happen.
//!
//! The deciders ([`run`], [`attempt`]), the reactor ([`race`]) and [`placement`] are pure: they know no clock, no disk
//! and no network. The executor is the one place that touches the world on behalf of a run. This crate never reads a
//! projection: a decision is made from the log's own streams.

pub mod archive;
pub mod artifacts;
pub mod asked;
pub mod attempt;
pub mod compose;
pub mod executor;
pub mod failpoint;
pub mod placement;
pub mod race;
pub mod repository;
pub mod request;
pub mod run;
pub mod sandboxes;
pub mod service;
pub mod source_control;
pub mod variables;

pub use archive::Archives;
pub use asked::{Asked, CommandKey};
pub use executor::{Fatal, World};
pub use placement::Caps;
pub use regatta_core::{Refusal, RefusalKind};
pub use request::{RunRequest, Uncommitted};
pub use service::{Dispatcher, Entered, Handle, Options, Recall, Released, SynthesisRequest, Synthesized};
