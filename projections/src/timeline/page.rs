//! Pages of lines: from memory while they are kept there, from the log for everything.

use std::collections::BTreeMap;

use regatta_core::{EventId, Log, ReadError, ReadMax, RunId, Seq};

use super::entry::entry;
use super::{AttemptLane, RunLanes, Timeline, TimelineEntry, TimelineFilter, TimelinePage};
use crate::projection::Subject;

/// Most entries in one page.
pub const PAGE_ENTRIES_MAX: usize = 1_000;
/// Most events looked at for one page read from the log; the page may then be short and says where to go on.
pub const SCAN_EVENTS_MAX: usize = 100_000;

impl Timeline {
    /// One page of entries in order, at most `limit` and never more than [`PAGE_ENTRIES_MAX`]. Only kept entries: see
    /// [`TimelinePage::kept_from`] and [`read`].
    #[must_use]
    pub fn page(&self, filter: &TimelineFilter, limit: usize) -> TimelinePage {
        let limit = limit.clamp(1, PAGE_ENTRIES_MAX);
        let mut shown: Box<dyn Iterator<Item = &TimelineEntry>> = match filter.only_run() {
            Some(run) => Box::new(self.of_run(run, filter.from)),
            None => Box::new(self.entries.range(self.place(filter.from.unwrap_or_default())..).map(|entry| &**entry)),
        };
        let mut shown = shown.by_ref().filter(|entry| filter.shows(entry));
        let mut entries: Vec<TimelineEntry> = shown.by_ref().take(limit).cloned().collect();
        let next = shown.next().map(|entry| entry.seq);
        self.name_causes(&mut entries);
        TimelinePage { rows: entries, next, kept_from: self.kept_from }
    }

    /// The last entries that a filter shows, in order: where a person begins to look. `next` is the position before
    /// which the page before it ends.
    #[must_use]
    pub fn last(&self, filter: &TimelineFilter, limit: usize) -> TimelinePage {
        let limit = limit.clamp(1, PAGE_ENTRIES_MAX);
        let mut shown = self.entries.iter().rev().filter(|entry| filter.shows(entry));
        let mut entries: Vec<TimelineEntry> =
            shown.by_ref().take(limit).map(|entry| TimelineEntry::clone(entry)).collect();
        let is_more = shown.next().is_some() || self.kept_from > Seq(1);
        entries.reverse();
        self.name_causes(&mut entries);
        let next = entries.first().filter(|_| is_more).map(|first| first.seq);
        TimelinePage { rows: entries, next, kept_from: self.kept_from }
    }

    /// The bars and marks of one run.
    #[must_use]
    pub fn lanes(&self, run: RunId) -> Option<RunLanes> {
        self.lanes.get(run).map(|lanes| RunLanes {
            run,
            start_us: lanes.start_us,
            end_us: lanes.end_us,
            spans: lanes.spans.clone(),
            marks: lanes.marks.clone(),
            attempts: lanes.attempts.iter().map(|(slot, lane)| -> AttemptLane { lane.view(*slot) }).collect(),
        })
    }

    /// Index of the first kept entry at or after a position.
    fn place(&self, seq: Seq) -> usize {
        self.entries.partition_point(|entry| entry.seq < seq)
    }

    fn of_run(&self, run: RunId, from: Option<Seq>) -> impl Iterator<Item = &TimelineEntry> {
        let positions = self.by_run.get(&run).into_iter().flatten();
        let wanted = positions.filter(move |seq| from.is_none_or(|from| **seq >= from));
        wanted.filter_map(|seq| self.entries.get(self.place(*seq)).map(|entry| &**entry))
    }

    /// Causes are looked for among the kept entries of the same run.
    fn name_causes(&self, entries: &mut [TimelineEntry]) {
        let mut known: BTreeMap<RunId, BTreeMap<EventId, Seq>> = BTreeMap::new();
        for entry in entries {
            let (Some(run), Some(cause)) = (entry.run, entry.cause) else { continue };
            let own = known.entry(run).or_insert_with(|| {
                let entries = self.of_run(run, None);
                entries.map(|entry| (entry.id, entry.seq)).collect()
            });
            entry.cause_seq = own.get(&cause).copied();
        }
    }
}

/// Reads one page of entries from the log, at most `limit` and never more than [`PAGE_ENTRIES_MAX`]: the way to entries
/// that are no longer kept, and to single pieces of output. Looks at no more than [`SCAN_EVENTS_MAX`] events; events
/// that cannot be read are left out.
///
/// # Errors
/// When the log cannot be read.
pub fn read(log: &dyn Log, filter: &TimelineFilter, limit: usize) -> Result<TimelinePage, ReadError> {
    let limit = limit.clamp(1, PAGE_ENTRIES_MAX);
    let end = filter.to.unwrap_or(Seq(u64::MAX));
    let mut entries: Vec<TimelineEntry> = vec![];
    let (first, from) = (log.first(), filter.from.filter(|from| *from > Seq(1)));
    let mut next = from.unwrap_or(first);
    let mut looked_at = 0;
    while next <= end && looked_at < SCAN_EVENTS_MAX {
        let batch = log.read(next, ReadMax::default())?;
        if batch.is_empty() {
            return Ok(TimelinePage { rows: entries, next: None, kept_from: first });
        }
        for envelope in batch {
            if entries.len() == limit || envelope.seq > end {
                let next = (envelope.seq <= end).then_some(envelope.seq);
                return Ok(TimelinePage { rows: entries, next, kept_from: first });
            }
            next = envelope.seq.next();
            looked_at += 1;
            if filter.may_show(&envelope)
                && let Ok(event) = envelope.event()
            {
                let entry = entry(&envelope, &event, Subject::of(&envelope.stream));
                entries.extend(filter.shows(&entry).then_some(entry));
            }
        }
    }
    let next = (next <= end).then_some(next);
    Ok(TimelinePage { rows: entries, next, kept_from: first })
}

/// Reads back from the end, or from [`TimelineFilter::to`]: the last entries that a filter shows, in order, at most
/// `limit`. `next` is the position before which the page before it ends. Bounded as [`read`] is.
///
/// # Errors
/// When the log cannot be read.
pub fn read_back(log: &dyn Log, filter: &TimelineFilter, limit: usize) -> Result<TimelinePage, ReadError> {
    let limit = limit.clamp(1, PAGE_ENTRIES_MAX);
    let begins = filter.from.filter(|from| *from > Seq(1)).unwrap_or(log.first());
    let mut end = filter.to.unwrap_or(Seq(u64::MAX)).min(log.head());
    let mut found: Vec<TimelineEntry> = vec![];
    let mut looked_at = 0;
    while end >= begins && found.len() < limit && looked_at < SCAN_EVENTS_MAX {
        // No more events than entries fit into one page.
        let start = Seq(end.0.saturating_sub(PAGE_ENTRIES_MAX as u64 - 1)).max(begins);
        let window = TimelineFilter { from: Some(start), to: Some(end), ..filter.clone() };
        found.extend(read(log, &window, PAGE_ENTRIES_MAX)?.rows.into_iter().rev());
        looked_at += PAGE_ENTRIES_MAX;
        end = Seq(start.0 - 1);
    }
    let is_cut = found.len() > limit;
    found.truncate(limit);
    found.reverse();
    let next = if is_cut { found.first().map(|first| first.seq) } else { (end >= begins).then_some(end.next()) };
    Ok(TimelinePage { rows: found, next, kept_from: log.first() })
}
