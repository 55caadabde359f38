//! Attempts: what one changed, byte for byte, and what it printed, byte for byte.

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use regatta_core::event::attempt::{AttemptEvent, Channel, Collected, Output, Phase};
use regatta_core::{AttemptId, Envelope, Event, Log, ReadError, ReadMax, Stream};
use serde::Deserialize;

use super::looking::look;
use super::views::resolve_attempt;
use crate::{Plane, Problem};

/// Bytes read from the log at once while output is sent.
const OUTPUT_READ: ReadMax = ReadMax { events: 64, bytes: 512 << 10 };

/// The attempt that is meant; its run may be written short.
async fn found(plane: &Plane, attempt: String) -> Result<AttemptId, Problem> {
    look(plane, None, move |views, _| resolve_attempt(views, &attempt)).await?
}

/// Which diff is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffQuery {
    /// Another attempt; the base when absent.
    against: Option<String>,
}

/// `GET /attempts/{attempt}/diff?against`: the patch as git wrote it, against the base or another attempt.
pub(super) async fn diff(
    State(plane): State<Plane>,
    Path(attempt): Path<String>,
    query: Result<Query<DiffQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    if let Some(against) = query?.0.against {
        return super::compose::diff_against(plane, attempt, against).await;
    }
    let attempt = found(&plane, attempt).await?;
    let read = move || -> Result<Vec<u8>, Problem> {
        let collected = Facts::read(&*plane.log, attempt)?.collected.ok_or_else(|| not_collected(attempt))?;
        match (collected.patch, collected.failure) {
            (Some(patch), _) => Ok(plane.blobs.get(&patch.hash)?),
            (None, None) => Ok(Vec::new()),
            (None, Some(reason)) => Err(collect_failed(attempt, &reason)),
        }
    };
    let patch =
        tokio::task::spawn_blocking(read).await.map_err(|error| Problem::internal("read a patch", &error))??;
    Ok(([(header::CONTENT_TYPE, "text/x-patch")], patch).into_response())
}

pub(super) fn collect_failed(attempt: AttemptId, reason: &str) -> Problem {
    let detail = format!("what {attempt} changed could not be collected: {reason}");
    Problem::new(StatusCode::CONFLICT, "not_collected", detail)
}

pub(super) fn not_collected(attempt: AttemptId) -> Problem {
    let detail = format!("nothing has been collected from {attempt} yet");
    Problem::new(StatusCode::CONFLICT, "not_collected", detail)
        .hint("a patch is there once the agent has ended; see `regatta show`")
}

/// What the raw routes need to know of an attempt, from its own stream.
#[derive(Default)]
struct Facts {
    epoch: u32,
    collected: Option<Collected>,
}

impl Facts {
    fn read(log: &dyn Log, attempt: AttemptId) -> Result<Self, Problem> {
        let (mut facts, mut next) = (Self::default(), 1);
        loop {
            let batch = log.read_stream(&Stream::attempt(attempt), next, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            next = last.stream_seq + 1;
            for envelope in &batch {
                facts.apply(envelope);
            }
        }
        if next == 1 {
            return Err(
                Problem::not_found(format!("there is no attempt {attempt}")).hint("`regatta ls` lists the runs")
            );
        }
        Ok(facts)
    }

    fn apply(&mut self, envelope: &Envelope) {
        match envelope.event() {
            Ok(Event::Attempt(AttemptEvent::Started(started))) => self.epoch = started.epoch,
            Ok(Event::Attempt(AttemptEvent::Collected(collected))) => self.collected = Some(collected),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Which part of the output is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputQuery {
    /// `out` or `err`; both, in the order they were recorded, when absent.
    channel: Option<Channel>,
    /// `setup`, `agent` (when absent) or `check-<index>`.
    phase: Option<String>,
    /// The first byte wanted; needs a channel.
    offset: Option<u64>,
    /// Which start of the attempt; the last one when absent.
    epoch: Option<u32>,
}

/// `GET /attempts/{attempt}/output?channel&phase&offset&epoch`: the bytes as they were printed.
pub(super) async fn output(
    State(plane): State<Plane>,
    Path(attempt): Path<String>,
    query: Result<Query<OutputQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let attempt = found(&plane, attempt).await?;
    let Query(query) = query?;
    if query.offset.is_some() && query.channel.is_none() {
        return Err(Problem::invalid("an offset needs a channel").hint("add channel=out or channel=err"));
    }
    let log = plane.log.clone();
    let facts = tokio::task::spawn_blocking(move || Facts::read(&*log, attempt));
    let facts = facts.await.map_err(|error| Problem::internal("read an attempt", &error))??;
    let wanted = Wanted {
        phase: query.phase.as_deref().map_or(Ok(Phase::Agent), phase)?,
        channel: query.channel,
        epoch: query.epoch.unwrap_or(facts.epoch),
        offset: query.offset.unwrap_or(0),
    };
    let bytes = Reading { log: plane.log, stream: Stream::output(attempt), next: 1, wanted };
    let body = Body::from_stream(futures_util::stream::unfold(bytes, |mut reading| async move {
        reading.step().await.map(|piece| (piece, reading))
    }));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

fn phase(text: &str) -> Result<Phase, Problem> {
    match text {
        "setup" => Ok(Phase::Setup),
        "agent" => Ok(Phase::Agent),
        _ => {
            let index = text.strip_prefix("check-").and_then(|index| index.parse().ok());
            let wrong = || Problem::invalid(format!("{text:?} is not a phase")).hint("setup, agent or check-<index>");
            index.map(Phase::Check).ok_or_else(wrong)
        }
    }
}

#[derive(Clone, Copy)]
struct Wanted {
    phase: Phase,
    channel: Option<Channel>,
    epoch: u32,
    offset: u64,
}

impl Wanted {
    /// The wanted part of one piece of output; empty when there is none.
    fn part(&self, output: &Output) -> Bytes {
        let elsewhere = output.phase != self.phase
            || output.epoch != self.epoch
            || self.channel.is_some_and(|channel| channel != output.channel);
        let skipped = usize::try_from(self.offset.saturating_sub(output.offset)).unwrap_or(usize::MAX);
        if elsewhere || skipped >= output.bytes.len() { Bytes::new() } else { output.bytes.slice(skipped..) }
    }
}

/// One client's place in an output stream.
struct Reading {
    log: std::sync::Arc<dyn Log>,
    stream: Stream,
    next: u64,
    wanted: Wanted,
}

impl Reading {
    /// The next wanted bytes; nothing at the end of what is recorded now.
    async fn step(&mut self) -> Option<Result<Bytes, ReadError>> {
        loop {
            let (log, stream, next) = (self.log.clone(), self.stream.clone(), self.next);
            let read = tokio::task::spawn_blocking(move || log.read_stream(&stream, next, OUTPUT_READ));
            let batch = match read.await {
                Ok(Ok(batch)) => batch,
                Ok(Err(error)) => return Some(Err(error)),
                Err(_) => return None,
            };
            self.next = batch.last()?.stream_seq + 1;
            let mut bytes = Vec::new();
            for envelope in &batch {
                if let Ok(Event::Attempt(AttemptEvent::Output(output))) = envelope.event() {
                    bytes.extend_from_slice(&self.wanted.part(&output));
                }
            }
            if !bytes.is_empty() {
                return Some(Ok(bytes.into()));
            }
        }
    }
}
