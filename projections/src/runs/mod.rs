//! Runs: a list of rows, and one run.

mod view;

pub use view::{
    AttemptCounts, CancelView, DeliveryState, DeliveryView, RunFilter, RunPage, RunRow, RunState, RunView, VerdictView,
};

/// Most replaced verdicts kept per run.
pub const VERDICTS_REPLACED_MAX: usize = 32;
