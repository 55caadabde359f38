//! What happened, line by line, and how long it took, lane by lane. Plain data, stable JSON; no rule lives here.

use regatta_core::event::attempt::Exit;
use regatta_core::{Actor, AttemptId, EventId, Kind, RunId, Seq, Slot, Stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One event as a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// Its global position.
    pub seq: Seq,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// The thing it is about.
    pub stream: Stream,
    /// Its identity.
    pub id: EventId,
    /// Name of its kind: `attempt.started`; in JSON a string.
    #[serde(with = "super::kind_name")]
    #[schema(value_type = String, example = "attempt.started")]
    pub kind: Kind,
    /// Who caused it.
    pub actor: Actor,
    /// The run it belongs to, when known.
    pub run: Option<RunId>,
    /// The attempt it belongs to, when known.
    pub attempt: Option<AttemptId>,
    /// One line for people.
    pub text: String,
    /// The event that led to it.
    pub cause: Option<EventId>,
    /// Position of that event, when it is among the entries at hand.
    pub cause_seq: Option<Seq>,
}

/// Which entries to show. Empty shows everything but single pieces of output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TimelineFilter {
    /// Only this run and its attempts.
    pub run: Option<RunId>,
    /// Only this attempt.
    pub attempt: Option<AttemptId>,
    /// Only these kinds (`attempt.started`) or families (`attempt`); all when empty.
    pub kinds: Vec<String>,
    /// Only events caused by this actor: `user:ada`, `regatta`.
    pub actor: Option<String>,
    /// Only entries whose line holds this text, case ignored.
    pub text: Option<String>,
    /// Only entries at or after this position.
    pub from: Option<Seq>,
    /// Only entries at or before this position.
    pub to: Option<Seq>,
    /// Also each piece of output as an entry; only [`super::read`] can, from the log.
    pub with_output: bool,
}

/// One page of entries, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelinePage {
    /// The entries.
    pub rows: Vec<TimelineEntry>,
    /// What to pass as [`TimelineFilter::from`] for the next page; nothing when there is no more up to the end or to
    /// [`TimelineFilter::to`].
    pub next: Option<Seq>,
    /// Entries before this position are not at hand; [`super::read`] has them.
    pub kept_from: Seq,
}

/// A run's events as bars over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunLanes {
    /// The run.
    pub run: RunId,
    /// When it was asked for, in microseconds since the Unix epoch.
    pub start_us: u64,
    /// When it was last over; nothing while it goes on.
    pub end_us: Option<u64>,
    /// What the run as a whole went through.
    pub spans: Vec<RunSpan>,
    /// Moments worth a mark.
    pub marks: Vec<Mark>,
    /// One per attempt, in slot order.
    pub attempts: Vec<AttemptLane>,
}

/// A stretch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunSpan {
    /// What it went through.
    pub phase: RunPhase,
    /// From, in microseconds since the Unix epoch.
    pub start_us: u64,
    /// To; nothing while it goes on. Never before `start_us`, also when the clock jumped back.
    pub end_us: Option<u64>,
}

/// What a run goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// From the request to the pinned base.
    Preparing,
    /// Until the verdict.
    Racing,
    /// From a verdict with a winner until the run is over.
    Delivering,
}

/// A moment worth a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// Position of its event.
    pub seq: Seq,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// What sort of moment.
    pub sort: MarkSort,
    /// The attempt, when it is about one.
    pub slot: Option<Slot>,
}

/// What sort of moment a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkSort {
    /// The run was asked for.
    Requested,
    /// An attempt failed: checks, agent, time, surroundings.
    Failure,
    /// An attempt passed.
    Passed,
    /// Somebody asked to stop.
    Cancel,
    /// There is a verdict.
    Verdict,
    /// The winner is delivered.
    Delivered,
    /// The winner could not be delivered.
    Undelivered,
}

/// An attempt's events as bars over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptLane {
    /// Its place in the run.
    pub slot: Slot,
    /// What it went through, in order.
    pub spans: Vec<Span>,
    /// Spans dropped from the front, past [`super::SPANS_MAX`].
    pub spans_dropped: u64,
}

/// A stretch of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// What it went through.
    pub phase: SpanPhase,
    /// Under which lease; 0 before the first start.
    pub epoch: u32,
    /// From, in microseconds since the Unix epoch.
    pub start_us: u64,
    /// To; nothing while it goes on. Never before `start_us`, also when the clock jumped back.
    pub end_us: Option<u64>,
    /// How the command ended, when it was one.
    pub exit: Option<Exit>,
    /// Pieces of output recorded in it.
    pub output_events: u64,
    /// Bytes printed on standard output in it.
    pub out_bytes: u64,
    /// Bytes printed on standard error in it.
    pub err_bytes: u64,
}

/// What an attempt goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanPhase {
    /// In line.
    Queued,
    /// Its sandbox is being made.
    Starting,
    /// The setup command.
    Setup,
    /// The agent.
    Agent,
    /// Its changes are being collected.
    Collecting,
    /// The check of that index.
    Check(u16),
    /// Until it is started again after a transient failure.
    Retrying,
}
