//! What people look at: folds of the log into views.
//!
//! A view is told facts and answers questions; it never acts. This crate knows nothing of deciders, executors or
//! sandbox providers, has no clock and no randomness (a "now" is an argument), and the same events always give the
//! same bytes.

mod can;

pub mod attempts;
pub mod compare;
pub mod fleet;
pub mod runs;
pub mod timeline;

pub use can::Can;
