//! One event as a line, and whether a filter shows it. Functions of the event alone: a page made from memory and one
//! read from the log are the same.

use regatta_core::{AttemptId, Envelope, Event, Kind, RunId, Seq};

use super::{TimelineEntry, TimelineFilter, text};
use crate::projection::Subject;

/// The entry of an event.
pub(super) fn entry(envelope: &Envelope, event: &Event, subject: Subject) -> TimelineEntry {
    TimelineEntry {
        seq: envelope.seq,
        at_us: envelope.at_us,
        stream: envelope.stream.clone(),
        id: envelope.id,
        kind: envelope.kind,
        actor: envelope.actor.clone(),
        run: subject.run(),
        attempt: attempt(event, subject),
        text: text::line(event),
        cause: envelope.cause,
        cause_seq: None,
    }
}

/// Also facts in a run's streams may be about one of its attempts.
fn attempt(event: &Event, subject: Subject) -> Option<AttemptId> {
    use regatta_core::event::{DeliveryEvent, RunEvent};
    let of_run = |slot| Some(AttemptId { run: subject.run()?, slot });
    subject.attempt().or_else(|| match event {
        Event::Run(RunEvent::AttemptEnded(ended)) => of_run(ended.slot),
        Event::Run(RunEvent::SynthesisRequested(synthesis)) => of_run(synthesis.slot),
        Event::Run(RunEvent::AttemptDiscarded(discarded)) => of_run(discarded.slot),
        Event::Run(RunEvent::DiscardUndone(undone)) => of_run(undone.slot),
        Event::Delivery(DeliveryEvent::Intended(intended)) => Some(intended.attempt),
        Event::Delivery(DeliveryEvent::Delivered(delivered)) => Some(delivered.attempt),
        Event::Delivery(DeliveryEvent::Failed(failed)) => Some(failed.attempt),
        Event::Cleaning(event) => Some(event.attempt()),
        Event::Run(_)
        | Event::Attempt(_)
        | Event::Sandbox(_)
        | Event::Gateway(_)
        | Event::Approval(_)
        | Event::Rule(_)
        | Event::Config(_)
        | Event::User(_)
        | Event::Secret(_)
        | Event::Log(_)
        | Event::Unknown { .. } => None,
    })
}

impl TimelineFilter {
    /// The run that everything shown belongs to, when there is only one.
    pub(super) fn only_run(&self) -> Option<RunId> {
        self.run.or(self.attempt.map(|attempt| attempt.run))
    }

    pub(super) fn shows(&self, entry: &TimelineEntry) -> bool {
        self.spans(entry.seq)
            && self.run.is_none_or(|run| entry.run == Some(run))
            && self.attempt.is_none_or(|attempt| entry.attempt == Some(attempt))
            && self.names(entry.kind)
            && self.actor.as_ref().is_none_or(|actor| actor == entry.actor.as_str())
            && self.text.as_ref().is_none_or(|text| entry.text.to_lowercase().contains(&text.to_lowercase()))
    }

    /// What can be said before an event is read.
    pub(super) fn may_show(&self, envelope: &Envelope) -> bool {
        (self.with_output || !envelope.kind.is_raw())
            && self.spans(envelope.seq)
            && self.names(envelope.kind)
            && self.actor.as_ref().is_none_or(|actor| actor == envelope.actor.as_str())
    }

    fn spans(&self, seq: Seq) -> bool {
        self.from.is_none_or(|from| seq >= from) && self.to.is_none_or(|to| seq <= to)
    }

    fn names(&self, kind: Kind) -> bool {
        let named = |name: &String| name == kind.family() || kind.name().is_some_and(|known| known == name);
        self.kinds.is_empty() || self.kinds.iter().any(named)
    }
}
