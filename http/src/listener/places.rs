//! How many connections one door has, and who makes room when all places are taken: of those that have shown no good
//! credential, whoever has been there longest. So a flood of connections that say nothing, or nothing of worth, shuts
//! out nobody: each newcomer replaces one of them. Knows nothing of what is said on a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The places of one door. Clones share them.
#[derive(Clone)]
pub(super) struct Places {
    room: Arc<Semaphore>,
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    unknown: Mutex<Unknown>,
    /// Somebody became unknown, who could make room.
    grown: Notify,
}

/// Whoever could make room, in the order in which they would.
#[derive(Default)]
struct Unknown {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Table {
    fn unknown(&self) -> MutexGuard<'_, Unknown> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, leave: CancellationToken) -> u64 {
        let mut unknown = self.unknown();
        let order = unknown.next;
        unknown.next += 1;
        unknown.waiting.insert(order, leave);
        self.grown.notify_one();
        order
    }
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(max)), table: Arc::default() }
    }

    /// A place, for which somebody may have to leave; waits when everybody has shown a good credential.
    pub(super) async fn take(&self) -> Place {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
                break Some(permit);
            }
            let longest = self.table.unknown().waiting.pop_first();
            if let Some((_, leave)) = longest {
                leave.cancel();
                break Arc::clone(&self.room).acquire_owned().await.ok();
            }
            tokio::select! {
                permit = Arc::clone(&self.room).acquire_owned() => break permit.ok(),
                () = self.table.grown.notified() => {}
            }
        };
        let leave = CancellationToken::new();
        let order = Mutex::new(Some(self.table.enter(leave.clone())));
        Place(Arc::new(Seated { table: Arc::clone(&self.table), leave, order, permit }))
    }
}

/// A connection's place, given back when its last clone is dropped.
#[derive(Clone)]
pub(super) struct Place(Arc<Seated>);

struct Seated {
    table: Arc<Table>,
    leave: CancellationToken,
    /// Where it stands among the unknown, when it does.
    order: Mutex<Option<u64>>,
    #[expect(dead_code, reason = "held, not looked at")]
    permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Resolves when this connection has to make room.
    pub(super) async fn left(&self) {
        self.0.leave.cancelled().await;
    }

    /// It does not make room until what is returned is dropped.
    pub(super) fn vouch(&self) -> Vouched {
        self.0.step_out();
        Vouched(self.clone())
    }
}

impl Seated {
    fn step_out(&self) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = order.take() {
            self.table.unknown().waiting.remove(&order);
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.step_out();
    }
}

/// As long as it is held, a connection keeps its place; then it is the last of those who would make room.
pub(super) struct Vouched(Place);

impl Drop for Vouched {
    fn drop(&mut self) {
        let seated = &self.0.0;
        let mut order = seated.order.lock().unwrap_or_else(PoisonError::into_inner);
        *order = Some(seated.table.enter(seated.leave.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_leaving(place: &Place) -> bool {
        tokio::time::timeout(Duration::ZERO, place.left()).await.is_ok()
    }

    #[tokio::test]
    async fn the_longest_unknown_makes_room_and_who_is_vouched_for_stays() {
        let places = Places::new(3);
        let (first, second, third) = (places.take().await, places.take().await, places.take().await);
        let vouched = first.vouch();
        let newcomer = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        second.left().await;
        assert!(!is_leaving(&first).await && !is_leaving(&third).await);
        drop(second);
        let fourth = newcomer.await.expect("it got a place");
        // Back among the unknown, the first is the last of them.
        drop(vouched);
        let newcomer = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        third.left().await;
        assert!(!is_leaving(&first).await && !is_leaving(&fourth).await);
        drop(third);
        newcomer.await.expect("it got a place");
    }

    #[tokio::test]
    async fn a_newcomer_waits_while_everybody_is_vouched_for() {
        let places = Places::new(1);
        let only = places.take().await;
        let vouched = only.vouch();
        let newcomer = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        assert!(!is_leaving(&only).await);
        drop(vouched);
        only.left().await;
        drop(only);
        newcomer.await.expect("it got a place");
    }
}
