//! Threads: the conversations of gateways, one per session, with their runs, the text as it streamed, and what tools did.
//! Folded from the frames as they came, so that a better reading improves old threads, too.
//!
//! A run may end twice, never, or under another id than it was asked for with (`run.rs` says how each ends right).

mod fold;
pub(crate) mod frame;
mod run;
mod tools;
mod view;

pub use fold::{RUNS_MAX, THREAD_BYTES_MAX, THREADS_MAX, Threads};
pub use run::TEXT_BYTES_MAX;
pub use view::{
    AddendumView, GatewayRunState, GatewayRunView, PartView, ThreadRow, ThreadView, ThreadsView, ToolState, ToolView,
};

use std::cmp::Reverse;

use regatta_core::{GatewayName, ThreadId};

impl Threads {
    /// Every thread, the latest first; of one gateway, when it is named.
    #[must_use]
    pub fn view(&self, gateway: Option<&GatewayName>) -> ThreadsView {
        let mut rows: Vec<ThreadRow> = self
            .kept
            .values()
            .filter(|thread| gateway.is_none_or(|gateway| thread.gateway == *gateway))
            .map(|thread| thread.row_of())
            .collect();
        rows.sort_by_key(|row| (Reverse(row.last_at_us), row.id));
        ThreadsView { rows }
    }

    /// One thread.
    #[must_use]
    pub fn get(&self, id: ThreadId) -> Option<ThreadView> {
        self.kept.get(&id).map(|thread| thread.view())
    }
}
