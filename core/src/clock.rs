//! Time and fresh ids, the two things the pure core may not make up. The one file that asks the machine for them.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::{EventId, RunId};

/// Where time and fresh ids come from. Tests and the simulation bring a manual one.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> u64;

    /// A fresh, time-ordered event id (uuid v7).
    fn event_id(&self) -> EventId;

    /// A fresh run id: 40 random bits. The log refuses a collision, the caller draws again.
    fn run_id(&self) -> RunId {
        RunId::from_bits(u128::from_be_bytes(self.event_id().0.into_bytes()))
    }

    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64 {
        self.now_us() / 1_000
    }
}

/// The machine's own clock and random source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    fn now_us(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's random source")]
    fn event_id(&self) -> EventId {
        EventId(Uuid::now_v7())
    }
}
