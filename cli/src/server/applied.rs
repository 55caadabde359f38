//! The configuration in force, as a fact: recorded at a start when it differs from the last recorded one.

use regatta_core::event::ConfigEvent;
use regatta_core::event::config::Applied;
use regatta_core::{Actor, Append, Draft, Event, Expect, Log, ReadError, ReadMax, Seq, Stream, SystemClock, log};

use crate::failure::Failure;

/// Records the values in force, when they are news, or when they were last said before `below`, which is to be removed
/// from the log.
pub(super) async fn record(log: &dyn Log, applied: Applied, below: Seq) -> Result<(), Failure> {
    let stream = Stream::config();
    let (last, stream_seq) = last(log, &stream)?;
    if last.is_some_and(|(seq, last)| seq >= below && last == applied) {
        return Ok(());
    }
    let event = Event::Config(ConfigEvent::Applied(applied));
    let draft = Draft::new(&event, &SystemClock, Actor::regatta(), uuid::Uuid::nil());
    let draft = Draft { correlation: draft.id.0, ..draft };
    let append = Append { stream, expect: Expect::At(stream_seq), events: vec![draft] };
    if let Some(reason) = log.read_only() {
        // It is recorded once there is room; what runs can be looked at meanwhile.
        tracing::error!(reason, "the log only reads");
        drop(log.submit_patiently(append));
        return Ok(());
    }
    let appended = log::append(log, append).await;
    appended.map(drop).map_err(|error| Failure::caused("failed to record the configuration", &error))
}

fn last(log: &dyn Log, stream: &Stream) -> Result<(Option<(Seq, Applied)>, u64), Failure> {
    let unreadable = |error: ReadError| Failure::caused("failed to read the log", &error);
    let (mut last, mut stream_seq) = (None, 0);
    loop {
        let batch = log.read_stream(stream, stream_seq + 1, ReadMax::default()).map_err(unreadable)?;
        if batch.is_empty() {
            // Also what was removed counts.
            return Ok((last, log.stream_head(stream).map_err(unreadable)?.max(stream_seq)));
        }
        for envelope in batch {
            stream_seq = envelope.stream_seq;
            if let Ok(Event::Config(ConfigEvent::Applied(applied))) = envelope.event() {
                last = Some((envelope.seq, applied));
            }
        }
    }
}
