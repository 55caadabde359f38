//! The timeline: what happened, line by line, and how long it took, lane by lane.

mod cleaning;
mod entry;
mod fold;
mod gateways;
mod kind_name;
mod lanes;
mod page;
mod people;
mod secrets;
mod text;
mod view;

pub use fold::{ENTRIES_KEPT_MAX, Timeline};
pub use lanes::{MARKS_MAX, SPANS_MAX};
pub use page::{PAGE_ENTRIES_MAX, SCAN_EVENTS_MAX, read, read_back};
pub use text::{TEXT_CHARS_MAX, line};
pub use view::{
    AttemptLane, Mark, MarkSort, RunLanes, RunPhase, RunSpan, Span, SpanPhase, TimelineEntry, TimelineFilter,
    TimelinePage,
};
