//! The fleet: where attempts run, who waits, and what was left behind.

mod fold;
mod view;

use std::collections::BTreeMap;

use regatta_core::{AttemptId, SandboxKey};

pub use fold::Fleet;
pub use view::{FleetTotals, FleetView, InUse, ProviderView, SandboxState, SandboxView, WaitingView};

use fold::KeptSandbox;

/// How long a sandbox may outlive its right to exist before it counts as a leak: removing one takes a moment, also
/// when the server is started again in between.
pub const LEAK_AFTER_MS: u64 = 60_000;

impl Fleet {
    /// Every provider and everybody who waits, at `now_us` (microseconds since the Unix epoch).
    #[must_use]
    pub fn view(&self, now_us: u64) -> FleetView {
        let mut providers: BTreeMap<&str, ProviderView> = BTreeMap::new();
        for (name, gone) in &self.gone {
            let totals = &mut provider(&mut providers, name).totals;
            totals.destroyed = gone.destroyed;
            totals.failed = gone.failed;
            totals.reaped = gone.reaped;
        }
        let mut oldest_first: Vec<(&SandboxKey, &KeptSandbox)> = self.sandboxes.values().flatten().collect();
        oldest_first.sort_by_key(|(_, sandbox)| sandbox.intended_seq);
        for (key, kept) in oldest_first {
            let sandbox = sandbox(key, kept, now_us);
            let provider = provider(&mut providers, &kept.provider);
            provider.totals.count(&sandbox);
            provider.sandboxes.push(sandbox);
        }
        let queue = self.queue(now_us);
        for waiting in &queue {
            if let Some(name) = self.attempts.get(&waiting.attempt).map(|attempt| attempt.provider.as_str()) {
                provider(&mut providers, name).totals.waiting += 1;
            }
        }
        let providers: Vec<ProviderView> = providers.into_values().collect();
        let totals = providers.iter().fold(FleetTotals::default(), |sum, provider| sum.plus(&provider.totals));
        FleetView { providers, queue, totals }
    }

    /// Attempts that have a lease, and the provider of each.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (AttemptId, &str)> {
        let leased = self.attempts.iter().filter(|(_, kept)| kept.lease.is_some());
        leased.map(|(id, kept)| (*id, kept.provider.as_str()))
    }

    fn queue(&self, now_us: u64) -> Vec<WaitingView> {
        let waits = self.attempts.iter().filter_map(|(id, kept)| Some((*id, kept, kept.waits.as_ref()?)));
        let mut waits: Vec<_> = waits.collect();
        waits.sort_by_key(|(_, _, wait)| wait.since_seq);
        let view = |(attempt, kept, wait): (_, &fold::KeptAttempt, &fold::KeptWait)| WaitingView {
            attempt,
            provider: kept.provider.clone(),
            reason: wait.reason.clone(),
            since_us: wait.since_us,
            waiting_ms: now_us.saturating_sub(wait.since_us) / 1_000,
            not_before_ms: wait.not_before_ms,
        };
        waits.into_iter().map(view).collect()
    }
}

fn provider<'a, 'n>(providers: &'a mut BTreeMap<&'n str, ProviderView>, name: &'n str) -> &'a mut ProviderView {
    providers.entry(name).or_insert_with(|| ProviderView {
        name: name.to_owned(),
        sandboxes: vec![],
        totals: FleetTotals::default(),
    })
}

fn sandbox(key: &SandboxKey, kept: &KeptSandbox, now_us: u64) -> SandboxView {
    let since_us = kept.created_at_us.unwrap_or(kept.intended_at_us);
    let overdue = |ended: u64| now_us.saturating_sub(ended) / 1_000 > LEAK_AFTER_MS;
    SandboxView {
        key: key.clone(),
        attempt: kept.attempt,
        epoch: kept.epoch,
        state: kept.state,
        fence: kept.fence.clone(),
        intended_at_us: kept.intended_at_us,
        created_at_us: kept.created_at_us,
        age_ms: now_us.saturating_sub(since_us) / 1_000,
        right_ended_at_us: kept.right_ended_at_us,
        is_leak: kept.right_ended_at_us.is_some_and(overdue),
        // Its attempt knows.
        cost_usd_micros: None,
    }
}

impl FleetTotals {
    fn count(&mut self, sandbox: &SandboxView) {
        match sandbox.state {
            SandboxState::Alive | SandboxState::Forked => self.alive += 1,
            SandboxState::Intended => self.intended += 1,
            SandboxState::Failed => {}
        }
        self.leaks += u64::from(sandbox.is_leak);
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            alive: self.alive + other.alive,
            intended: self.intended + other.intended,
            destroyed: self.destroyed + other.destroyed,
            failed: self.failed + other.failed,
            reaped: self.reaped + other.reaped,
            leaks: self.leaks + other.leaks,
            waiting: self.waiting + other.waiting,
        }
    }
}
