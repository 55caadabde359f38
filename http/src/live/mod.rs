//! Live clients: how many there may be, the socket of each, and what one is told over a WebSocket. Knows nothing of how
//! events are read.

mod client;
mod message;
mod topic;
mod wire;

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Problem;
use crate::listener::files_max;

pub(crate) use client::Client;
pub(crate) use message::{Answer, Request};
pub(crate) use wire::{Unheard, Wire, pings};

/// Most live clients at once, streams and sockets together.
const LIVE_CLIENTS_MAX: usize = 4_096;
/// Of the files this process may have open, live clients take at most one in so many.
const FILES_PER_CLIENT: usize = 4;

/// The places live clients sit on. Clones share them.
#[derive(Debug, Clone)]
pub struct LiveClients {
    free: Arc<Semaphore>,
    max: usize,
}

impl Default for LiveClients {
    fn default() -> Self {
        let max = LIVE_CLIENTS_MAX.min(files_max() / FILES_PER_CLIENT).max(1);
        Self { free: Arc::new(Semaphore::new(max)), max }
    }
}

/// A live client's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(#[expect(dead_code, reason = "held, not looked at")] OwnedSemaphorePermit);

impl LiveClients {
    /// Takes a place, or says that there is none.
    pub(crate) fn sit(&self) -> Result<Seat, Problem> {
        let full = |_| {
            let detail = format!("{} live clients are connected, and no more are let in", self.max);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_live_clients", detail)
                .hint("close some, or ask for pages: GET /events")
        };
        Arc::clone(&self.free).try_acquire_owned().map(Seat).map_err(full)
    }

    /// How many there are.
    #[must_use]
    pub fn seated(&self) -> usize {
        self.max - self.free.available_permits()
    }
}
