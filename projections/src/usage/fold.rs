//! How turns and attempts become sums. There are only so many sums: those of the oldest day make room.

use std::collections::BTreeMap;

use regatta_core::event::attempt::AttemptEvent;
use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{AttemptId, Event, GatewayName, HeardRows, ThreadId};
use serde::{Deserialize, Serialize};

use super::view::{UsageRow, UsageRows};
use crate::attempts::{AttemptView, UsageSource, UsageView};
use crate::projection::Fact;
use crate::threads::frame::{Message, Said, Told, told};

/// Most sums that are kept.
pub const ROWS_MAX: usize = 20_000;
/// Most sessions of which it is known how far they were counted; more are counted when nothing is told twice.
const SESSIONS_MAX: usize = 2_000;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;
const US_PER_DAY: u64 = 86_400 * 1_000_000;
/// Attempts of this provider work in a session of a gateway, and are counted there.
const COUNTED_AT_ITS_GATEWAY: &str = "gateway";
/// What a gateway says the model was of text that no model said.
const INJECTED: &str = "gateway-injected";

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// By days since 1970-01-01, UTC.
    days: BTreeMap<u64, Vec<(Who, Sum)>>,
    /// How many sums there are.
    rows: usize,
    /// Which rows of each session were counted: after a connection was lost rows are told again, or late.
    counted: BTreeMap<ThreadId, HeardRows>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Who {
    gateway: Option<GatewayName>,
    agent: String,
    model: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Sum {
    turns: u64,
    untold: u64,
    uncosted: u64,
    used: UsageView,
}

impl Usage {
    /// Takes a fact; `attempt` shows an attempt as it is after it.
    pub(crate) fn take(&mut self, fact: &Fact<'_>, attempt: impl FnOnce(AttemptId) -> Option<AttemptView>) {
        let at_us = fact.envelope.at_us;
        if let Event::Gateway(GatewayEvent::Frame(frame)) = fact.event
            && frame.event == "session.message"
        {
            self.heard(frame, at_us);
        }
        if let Event::Attempt(AttemptEvent::Finished(_)) = fact.event
            && let Some(view) = fact.subject.attempt().and_then(attempt)
        {
            self.ended(&view, at_us);
        }
    }

    /// A row counts on the day it was heard, or, when that was missed, on the day it was written.
    fn heard(&mut self, frame: &Frame, heard_at_us: u64) {
        let Some(Told { said: Said::Message(message), at_us, .. }) = told(&frame.event, &frame.text, heard_at_us)
        else {
            return;
        };
        let row = &message.message;
        // Every row, so that it is known where some are missing.
        let is_known = self.is_known(&frame.gateway, &message);
        if is_known || row.role != "assistant" || row.model.as_deref() == Some(INJECTED) {
            return;
        }
        let used = row.usage.as_ref().map(|usage| UsageView {
            tokens_in: Some(usage.input.saturating_add(usage.cache_read)),
            tokens_cached: Some(usage.cache_read),
            tokens_out: Some(usage.output),
            cost_usd_micros: usage.cost.is_some().then(|| usage.cost_micros()),
            source: UsageSource::Reported,
        });
        let who = Who {
            gateway: Some(frame.gateway.clone()),
            agent: name(message.agent_id.as_deref().unwrap_or("unknown")),
            model: row.model.as_deref().map(name),
        };
        self.add(at_us / US_PER_DAY, who, used.unwrap_or_default());
    }

    /// Whether a row was counted before; from now on it was.
    fn is_known(&mut self, gateway: &GatewayName, message: &Message) -> bool {
        let Some(place) = message.message.place() else { return false };
        let session = ThreadId::of(gateway, &message.session_key);
        if self.counted.len() >= SESSIONS_MAX && !self.counted.contains_key(&session) {
            let oldest = self.counted.iter().min_by_key(|(_, rows)| rows.last_at_ms()).map(|(session, _)| *session);
            oldest.and_then(|oldest| self.counted.remove(&oldest));
        }
        !self.counted.entry(session).or_default().hear(place)
    }

    fn ended(&mut self, attempt: &AttemptView, at_us: u64) {
        // Which gateway stands after it.
        if attempt.entry.sandbox.split(':').next() == Some(COUNTED_AT_ITS_GATEWAY) {
            return;
        }
        let who =
            Who { gateway: None, agent: name(&attempt.entry.agent), model: attempt.entry.model.as_deref().map(name) };
        self.add(at_us / US_PER_DAY, who, attempt.usage);
    }

    fn add(&mut self, day: u64, who: Who, used: UsageView) {
        let is_known = self.days.get(&day).is_some_and(|sums| sums.iter().any(|(known, _)| *known == who));
        if !is_known {
            if self.rows >= ROWS_MAX {
                self.rows -= self.days.pop_first().map_or(0, |(_, sums)| sums.len());
            }
            self.rows += 1;
            self.days.entry(day).or_default().push((who.clone(), Sum::default()));
        }
        let sums = self.days.get_mut(&day);
        let Some((_, sum)) = sums.and_then(|sums| sums.iter_mut().find(|(known, _)| *known == who)) else { return };
        sum.turns += 1;
        sum.untold += u64::from(used.source == UsageSource::Unknown);
        sum.uncosted += u64::from(used.cost_usd_micros.is_none());
        sum.used = sum.used.plus(used);
    }

    /// The sums of the last `days` days, the one of `now_us` included.
    #[must_use]
    pub fn view(&self, days: u64, now_us: u64) -> UsageRows {
        let first = (now_us / US_PER_DAY + 1).saturating_sub(days);
        let sums = self.days.range(first..).flat_map(|(day, sums)| sums.iter().map(move |sum| (day, sum)));
        let rows = sums.map(|(day, (who, sum))| UsageRow {
            day_us: day * US_PER_DAY,
            gateway: who.gateway.clone(),
            agent: who.agent.clone(),
            model: who.model.clone(),
            turns: sum.turns,
            untold: sum.untold,
            uncosted: sum.uncosted,
            used: sum.used,
        });
        UsageRows { first_us: first * US_PER_DAY, until_us: now_us, rows: rows.collect() }
    }
}

fn name(text: &str) -> String {
    text.get(..text.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default().to_owned()
}
