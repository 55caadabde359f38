//! Named places where the simulation may crash the dispatcher. In production reaching one does nothing.

use std::fmt;
use std::sync::Arc;

/// Every place, in the order an attempt meets them.
pub const FAILPOINTS: &[&str] = &[
    "answer-due",
    "prepare-begun",
    "prepare-done",
    "create-begun",
    "create-done",
    "phase-begun",
    "phase-launched",
    "output-read",
    "output-recorded",
    "phase-over",
    "kill-begun",
    "collect-begun",
    "collect-kept",
    "artifacts-packed",
    "deliver-begun",
    "deliver-done",
    "destroy-begun",
    "destroy-done",
    "clean-begun",
    "clean-archived",
    "clean-removed",
    "clean-returned",
    "clean-forgotten",
];

type Crash = dyn Fn(&'static str) -> bool + Send + Sync;

/// What to ask at each place: `true` means the process dies here.
#[derive(Clone, Default)]
pub struct Failpoints(Option<Arc<Crash>>);

impl Failpoints {
    /// Asks `crash` at each place.
    pub fn new(crash: impl Fn(&'static str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(crash)))
    }

    /// Passes the place, or never returns, as a process that died.
    pub(crate) async fn reach(&self, point: &'static str) {
        if let Some(crash) = &self.0 {
            debug_assert!(FAILPOINTS.contains(&point), "{point} is not listed");
            if crash(point) {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Failpoints(armed)" } else { "Failpoints(off)" })
    }
}
