//! How facts become bars over time. A bar never ends before it begins, also when the clock jumped back.

use std::collections::BTreeMap;

use regatta_core::event::attempt::{AttemptEvent, Channel, Outcome, Output, Phase, PhaseEnded};
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::RunEvent;
use regatta_core::{Envelope, Seq, Slot};
use serde::{Deserialize, Serialize};

use super::{AttemptLane, Mark, MarkSort, RunPhase, RunSpan, Span, SpanPhase};

/// Most spans kept per attempt, and per run.
pub const SPANS_MAX: usize = 256;
/// Most marks kept per run.
pub const MARKS_MAX: usize = 1_024;

/// The bars and marks of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lanes {
    pub(super) start_us: u64,
    pub(super) end_us: Option<u64>,
    pub(super) spans: Vec<RunSpan>,
    pub(super) marks: Vec<Mark>,
    pub(super) attempts: BTreeMap<Slot, Lane>,
}

/// The bars of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Lane {
    epoch: u32,
    spans: Vec<Span>,
    spans_dropped: u64,
}

impl Lanes {
    pub(super) fn begun(envelope: &Envelope) -> Self {
        let start_us = envelope.at_us;
        let mut lanes = Self { start_us, end_us: None, spans: vec![], marks: vec![], attempts: BTreeMap::new() };
        lanes.open(RunPhase::Preparing, start_us);
        lanes.mark(MarkSort::Requested, None, envelope.seq, start_us);
        lanes
    }

    pub(super) fn fold_run(&mut self, event: &RunEvent, seq: Seq, at_us: u64) {
        match event {
            RunEvent::Prepared(_) => self.open(RunPhase::Racing, at_us),
            RunEvent::Decided(decided) => {
                self.mark(MarkSort::Verdict, decided.winner, seq, at_us);
                match decided.winner {
                    Some(_) => self.open(RunPhase::Delivering, at_us),
                    None => self.close(at_us),
                }
                self.end_us = None;
            }
            RunEvent::CancelRequested(_) => self.mark(MarkSort::Cancel, None, seq, at_us),
            RunEvent::Finished(_) => {
                self.close(at_us);
                self.end_us = Some(at_us.max(self.start_us));
            }
            RunEvent::SynthesisRequested(_) => {
                self.open(RunPhase::Racing, at_us);
                self.end_us = None;
            }
            RunEvent::Requested(_)
            | RunEvent::AttemptEnded(_)
            | RunEvent::AttemptDiscarded(_)
            | RunEvent::DiscardUndone(_) => {}
        }
    }

    pub(super) fn fold_delivery(&mut self, event: &DeliveryEvent, seq: Seq, at_us: u64) {
        match event {
            DeliveryEvent::Intended(_) => {}
            DeliveryEvent::Delivered(delivered) => {
                self.mark(MarkSort::Delivered, Some(delivered.attempt.slot), seq, at_us);
            }
            DeliveryEvent::Failed(failed) => {
                self.mark(MarkSort::Undelivered, Some(failed.attempt.slot), seq, at_us);
            }
        }
    }

    pub(super) fn fold_attempt(&mut self, slot: Slot, event: &AttemptEvent, seq: Seq, at_us: u64) {
        self.attempts.entry(slot).or_default().fold(event, at_us);
        match event {
            AttemptEvent::CancelRequested(_) => self.mark(MarkSort::Cancel, Some(slot), seq, at_us),
            AttemptEvent::Finished(finished) => match finished.outcome {
                Outcome::Passed => self.mark(MarkSort::Passed, Some(slot), seq, at_us),
                Outcome::ChecksFailed { .. }
                | Outcome::AgentFailed { .. }
                | Outcome::TimedOut
                | Outcome::Failed { .. } => self.mark(MarkSort::Failure, Some(slot), seq, at_us),
                Outcome::Unchanged | Outcome::Cancelled { .. } => {}
            },
            AttemptEvent::Queued(_)
            | AttemptEvent::Waiting(_)
            | AttemptEvent::Started(_)
            | AttemptEvent::PhaseStarted(_)
            | AttemptEvent::Output(_)
            | AttemptEvent::PhaseEnded(_)
            | AttemptEvent::Collected(_)
            | AttemptEvent::ArtifactsCollected(_)
            | AttemptEvent::RetryScheduled(_) => {}
        }
    }

    fn open(&mut self, phase: RunPhase, at_us: u64) {
        self.close(at_us);
        if self.spans.len() < SPANS_MAX {
            self.spans.push(RunSpan { phase, start_us: at_us, end_us: None });
        }
    }

    fn close(&mut self, at_us: u64) {
        if let Some(span) = self.spans.last_mut().filter(|span| span.end_us.is_none()) {
            span.end_us = Some(at_us.max(span.start_us));
        }
    }

    fn mark(&mut self, sort: MarkSort, slot: Option<Slot>, seq: Seq, at_us: u64) {
        if self.marks.len() < MARKS_MAX {
            self.marks.push(Mark { seq, at_us, sort, slot });
        }
    }
}

impl Lane {
    pub(super) fn view(&self, slot: Slot) -> AttemptLane {
        AttemptLane { slot, spans: self.spans.clone(), spans_dropped: self.spans_dropped }
    }

    fn fold(&mut self, event: &AttemptEvent, at_us: u64) {
        match event {
            AttemptEvent::Queued(_) => self.open(SpanPhase::Queued, at_us),
            AttemptEvent::Waiting(_) => {
                // Standing in line again after a retry's pause; a new reason alone begins nothing.
                if self.spans.last().is_some_and(|span| span.phase == SpanPhase::Retrying) {
                    self.open(SpanPhase::Queued, at_us);
                }
            }
            AttemptEvent::Started(started) => {
                self.epoch = started.epoch;
                self.open(SpanPhase::Starting, at_us);
            }
            AttemptEvent::PhaseStarted(started) => self.open(of(started.phase), at_us),
            AttemptEvent::Output(output) => self.print(output),
            AttemptEvent::PhaseEnded(ended) => self.end(ended, at_us),
            AttemptEvent::Collected(_) | AttemptEvent::Finished(_) => self.close(at_us),
            AttemptEvent::RetryScheduled(_) => self.open(SpanPhase::Retrying, at_us),
            AttemptEvent::ArtifactsCollected(_) | AttemptEvent::CancelRequested(_) => {}
        }
    }

    fn open(&mut self, phase: SpanPhase, at_us: u64) {
        self.close(at_us);
        if self.spans.len() >= SPANS_MAX {
            self.spans.remove(0);
            self.spans_dropped += 1;
        }
        self.spans.push(Span {
            phase,
            epoch: self.epoch,
            start_us: at_us,
            end_us: None,
            exit: None,
            output_events: 0,
            out_bytes: 0,
            err_bytes: 0,
        });
    }

    fn close(&mut self, at_us: u64) {
        if let Some(span) = self.spans.last_mut().filter(|span| span.end_us.is_none()) {
            span.end_us = Some(at_us.max(span.start_us));
        }
    }

    fn end(&mut self, ended: &PhaseEnded, at_us: u64) {
        if let Some(span) = self.find(ended.epoch, ended.phase) {
            span.exit = Some(ended.exit.clone());
        }
        self.close(at_us);
        if ended.phase == Phase::Agent {
            self.open(SpanPhase::Collecting, at_us);
        }
    }

    fn print(&mut self, output: &Output) {
        if let Some(span) = self.find(output.epoch, output.phase) {
            let bytes = output.bytes.len() as u64;
            span.output_events += 1;
            match output.channel {
                Channel::Out => span.out_bytes += bytes,
                Channel::Err => span.err_bytes += bytes,
            }
        }
    }

    /// The span of a command: nearly always the last one.
    fn find(&mut self, epoch: u32, phase: Phase) -> Option<&mut Span> {
        let phase = of(phase);
        self.spans.iter_mut().rev().find(|span| span.epoch == epoch && span.phase == phase)
    }
}

fn of(phase: Phase) -> SpanPhase {
    match phase {
        Phase::Setup => SpanPhase::Setup,
        Phase::Agent => SpanPhase::Agent,
        Phase::Check(index) => SpanPhase::Check(index),
    }
}
