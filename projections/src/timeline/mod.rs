//! The timeline: what happened, line by line, and how long it took, lane by lane.

mod kind_name;
mod view;

pub use view::{
    AttemptLane, Mark, MarkSort, RunLanes, RunPhase, RunSpan, Span, SpanPhase, TimelineEntry, TimelineFilter,
    TimelinePage,
};

/// Most spans kept per attempt.
pub const SPANS_MAX: usize = 256;
