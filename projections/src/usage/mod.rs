//! Usage: what was used and what it cost, by day, by who did it and with which model. Two sources are counted and never
//! mixed: transcripts of gateways as they were heard, and attempts of ours as their agents told. What nobody told is
//! counted as turns of which nothing is known, never as nothing.

mod fold;
mod view;

pub use fold::{ROWS_MAX, Usage};
pub use view::{UsageRow, UsageRows};
