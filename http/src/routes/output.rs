//! What an attempt printed, byte for byte, read from the log while it is sent.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use regatta_core::event::attempt::{AttemptEvent, Channel, Output, Phase};
use regatta_core::{Event, Log, ReadError, ReadMax, Stream};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::{Facts, found};
use super::looking::{Asked, AttemptPath};
use crate::{Plane, Problem};

/// Bytes read from the log at once while output is sent.
const OUTPUT_READ: ReadMax = ReadMax { events: 64, bytes: 512 << 10 };

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(output))
}

/// Which part of the output is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OutputQuery {
    /// `out` or `err`; both, in the order they were recorded, when absent.
    channel: Option<Channel>,
    /// `setup`, `agent` (when absent) or `check-<index>`.
    phase: Option<String>,
    /// The first byte wanted; needs a channel.
    offset: Option<u64>,
    /// Which start of the attempt; the last one when absent.
    epoch: Option<u32>,
}

/// Gives what an attempt printed, the bytes as they came.
#[utoipa::path(get, path = "/attempts/{attempt}/output", operation_id = "getOutput", tag = "attempts",
    params(AttemptPath, OutputQuery),
    responses((status = 200, description = "The bytes.", body = [u8], content_type = "application/octet-stream")))]
async fn output(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
    query: Asked<OutputQuery>,
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
            let wrong =
                || Problem::invalid(format!("no phase is called {text:?}")).hint("setup, agent or check-<index>");
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
