//! What people look at: folds of the log into views.
//!
//! A view is told facts and answers questions; it never acts. This crate knows nothing of deciders, executors or
//! sandbox providers, has no clock and no randomness (a "now" is an argument), and the same events always give the
//! same bytes.
//!
//! [`Views`] holds all views as of one position; [`follow`] keeps one up to date with a log; [`snapshot`] puts one down
//! and takes it up again.

mod can;
mod keeping;
mod live;
mod projection;
mod shelf;
mod tail;
mod views;

pub mod approvals;
pub mod attempts;
pub mod compare;
pub mod disk;
pub mod fleet;
pub mod gateways;
pub mod runs;
pub mod snapshot;
pub mod threads;
pub mod timeline;
pub mod usage;

pub use can::Can;
pub use keeping::{KIND, Keeping, SNAPSHOT_EVENTS, SNAPSHOT_EVERY};
pub use live::{FollowError, Follower, Live, Stopped, follow, follow_kept};
pub use projection::{Fault, Progress, Projection};
pub use views::{RUNS_ENDED_OPEN_MAX, Views, seq_at};
