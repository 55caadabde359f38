//! Every gateway of this installation: which there are, one connection to each for everybody, all they say recorded before
//! anybody acts on it, and the questions of their agents, each answered once.
//!
//! `registry`, `rules/book`, `rules/fits`, `asks`, `questions`, `history`, `notice`, `record`, `calls`, `chat_text`, `events` and
//! `transcripts` are pure; [`Gateways`] is what others ask. Knows nothing of runs, attempts, views or requests, and no secret
//! but on its way from the vault to a gateway, or to whoever is told of questions that are about to expire.

mod answers;
mod asks;
mod broker;
mod calls;
mod care;
mod chat_text;
mod escalation;
mod events;
mod handle;
mod history;
mod keeper;
mod keyring;
mod members;
mod notice;
mod questions;
mod rebuild;
mod record;
mod registry;
pub mod rules;
mod ruling;
mod status;
mod test;
mod transcripts;

pub use calls::{is_reading, need};
pub use escalation::{Escalation, Escalator};
pub use events::{hears, hears_stream};
pub use handle::{Called, Gateways, NotCalled};
pub use keyring::Secret;
pub use members::Wanted;
pub use status::{LinkNow, LinkState};
pub use test::{Step, Tested};
