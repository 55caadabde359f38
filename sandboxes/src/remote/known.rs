//! A sandbox this instance has to do with: how it is reached, where things are in it, and who follows its commands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Kept;
use super::cloud::Machine;
use super::feed::Feed;
use super::words;
use crate::provider::Created;

/// How often the end a vendor makes by itself is put off, while somebody has to do with a sandbox.
const RENEW_EVERY: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Known {
    pub(super) machine: Machine,
    /// Our folder inside.
    pub(super) base: String,
    pub(super) created: Created,
    pub(super) kept: Kept,
    /// Paths of this machine, and where they are inside.
    moved: Vec<(String, String)>,
    renewed_at: Mutex<Instant>,
    followed: Mutex<HashMap<String, Arc<Followed>>>,
}

/// A command of it.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) feed: Mutex<Feed>,
    pub(super) wake: Notify,
    /// News whoever waits has been told of.
    pub(super) told: Mutex<u64>,
    /// When somebody waited for news last.
    pub(super) wanted_at: Mutex<Option<Instant>>,
    /// Who follows it.
    pub(super) follower: Mutex<Option<AbortHandle>>,
}

impl Known {
    pub(super) fn new(machine: Machine, base: &str, kept: &Kept) -> Self {
        let moved = kept.read_only.iter().enumerate();
        let moved = moved.map(|(number, path)| (path.clone(), format!("{base}/read/{number}"))).collect();
        let created = Created {
            fence: kept.fence.clone(),
            workspace: format!("{base}/work"),
            inbox: format!("{base}/inbox"),
            is_warm: false,
        };
        Self {
            machine,
            base: base.to_owned(),
            created,
            kept: kept.clone(),
            moved,
            renewed_at: Mutex::new(Instant::now()),
            followed: Mutex::default(),
        }
    }

    /// A word or the value of a variable, with a path that was sent along told as it is inside.
    pub(super) fn told(&self, text: &str) -> String {
        let moved = self.moved.iter().find(|(here, _)| here == text);
        moved.map_or_else(|| text.to_owned(), |(_, inside)| inside.clone())
    }

    pub(super) fn exec_folder(&self, exec: &str) -> String {
        format!("{}/execs/{exec}", self.base)
    }

    /// The words that ask the runner for something.
    pub(super) fn runner(&self, mode: &str, exec: &str, more: &[&str]) -> Vec<String> {
        let script = format!("{}/runner.pl", self.base);
        let mut argv = words(&["perl", &script, mode, &self.base, exec]);
        argv.extend(words(more));
        argv
    }

    pub(super) fn is_due_for_renewal(&self) -> bool {
        self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= RENEW_EVERY
    }

    pub(super) fn was_renewed(&self) {
        *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn followed(&self, exec: &str) -> Arc<Followed> {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(exec.to_owned()).or_default())
    }

    pub(super) fn stop_following(&self) {
        let all = std::mem::take(&mut *self.followed.lock().unwrap_or_else(PoisonError::into_inner));
        for followed in all.into_values() {
            followed.stop();
        }
    }
}

impl Followed {
    pub(super) fn feed(&self) -> std::sync::MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        if let Some(follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.abort();
        }
    }
}
