//! What an attempt printed, by pages in both directions: the end first, as a person looks at it. Knows nothing of who
//! looks.

use axum::Json;
use axum::extract::{Path, Query, State};
use regatta_agents::Remark;
use regatta_core::event::attempt::AttemptEvent;
use regatta_core::{AttemptId, Envelope, Event, Log, ReadError, ReadMax, Seq, Stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, AttemptPath, Moment, look, resolve_attempt, rows};
use super::remarks::Reading;
use crate::{OutputBody, Plane, Problem};

/// Most pieces in one page.
const PIECES_PAGE_MAX: usize = 2_000;
/// Pieces in one page when nobody says.
const PIECES_PAGE_DEFAULT: usize = 500;
/// Bytes after which a page takes no further piece; each has at most 256 KiB.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// Pieces read from the log at once.
const READ: usize = 128;

/// Which pieces are wanted: the last ones, or those beside one that is known.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PiecesQuery {
    /// Only pieces after this one, the earliest first.
    after: Option<u64>,
    /// Only pieces before this one, the latest of them.
    before: Option<u64>,
    /// Pieces in one page, 500 when absent.
    #[param(minimum = 1, maximum = 2_000)]
    limit: Option<usize>,
    /// An event's number or a time (RFC 3339): what was printed until then.
    as_of: Option<String>,
    /// What agents that print JSON said as remarks for people, in place of that text.
    #[serde(default)]
    words: bool,
}

/// One piece of output and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PieceBody {
    /// Its place among everything the attempt printed, from 1, without gaps.
    pub(super) stream_seq: u64,
    /// Its global position.
    pub(super) seq: Seq,
    /// The bytes, and which command printed them where.
    #[serde(flatten)]
    pub(super) output: OutputBody,
    /// When words are asked for: what became clear with this piece. The text of standard output of such an agent is
    /// left out then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) words: Vec<Remark>,
}

/// A page of what an attempt printed, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct PiecesBody {
    /// The pieces.
    pieces: Vec<PieceBody>,
    /// Whether nothing was printed before them.
    is_start: bool,
    /// Whether nothing was printed after them yet.
    is_end: bool,
}

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(pieces))
}

/// Gives what an attempt printed by the page: the last one, or the one beside a piece that is known.
#[utoipa::path(get, path = "/attempts/{attempt}/pieces", operation_id = "listPieces", tag = "attempts",
    params(AttemptPath, PiecesQuery), responses((status = 200, description = "One page.", body = PiecesBody)))]
async fn pieces(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
    query: Asked<PiecesQuery>,
) -> Result<Json<PiecesBody>, Problem> {
    let Query(query) = query?;
    let limit = rows(query.limit, PIECES_PAGE_DEFAULT, PIECES_PAGE_MAX)? as u64;
    if query.after.is_some() && query.before.is_some() {
        return Err(Problem::invalid("after and before do not go together").hint("leave one of them out"));
    }
    let moment = Moment::parse(query.as_of.as_deref())?;
    let found = look(&plane, None, move |views, now_us| {
        let attempt = resolve_attempt(views, &attempt)?;
        Ok::<_, Problem>((attempt, views.attempts.get(attempt, now_us)))
    });
    let (attempt, view) = found.await??;
    let reading = view.filter(|_| query.words).and_then(|view| Reading::of(&view, moment.is_some()));
    let log = plane.log;
    let read = move || -> Result<PiecesBody, ReadError> {
        let until = match moment {
            None => log.head(),
            Some(Moment::At(seq)) => seq,
            Some(Moment::AtUs(at_us)) => log.seq_at(at_us)?,
        };
        let mut page = page(&*log, attempt, until, &query, limit)?;
        if let Some(reading) = reading {
            reading.put_words(&*log, &Stream::output(attempt), &mut page.pieces, page.is_end)?;
        }
        Ok(page)
    };
    let page = tokio::task::spawn_blocking(read).await.map_err(|error| Problem::internal("read output", &error))?;
    Ok(Json(page?))
}

fn page(
    log: &dyn Log,
    attempt: AttemptId,
    until: Seq,
    query: &PiecesQuery,
    limit: u64,
) -> Result<PiecesBody, ReadError> {
    let stream = Stream::output(attempt);
    let end = end(log, &stream, until)?;
    if end == 0 && log.first() > Seq(1) && log.stream_head(&stream)? > 0 {
        log.read(Seq(log.first().0 - 1), ReadMax { events: 1, bytes: 0 })?;
    }
    let pieces = if let Some(after) = query.after {
        forward(log, &stream, after.saturating_add(1), end, limit)?
    } else {
        let last = query.before.map_or(end, |before| end.min(before.saturating_sub(1)));
        backward(log, &stream, last, limit)?
    };
    Ok(PiecesBody {
        is_start: pieces.first().is_none_or(|piece| piece.stream_seq == 1),
        is_end: pieces.last().map_or(query.before.is_none(), |piece| piece.stream_seq >= end),
        pieces,
    })
}

/// The stream's last piece that is not after a position; 0 when there is none. Found by halving, because a stream does
/// not tell how long it is.
fn end(log: &dyn Log, stream: &Stream, until: Seq) -> Result<u64, ReadError> {
    let one = ReadMax { events: 1, bytes: 1 };
    let is_there = |place: u64| -> Result<bool, ReadError> {
        Ok(log.read_stream(stream, place, one)?.first().is_some_and(|envelope| envelope.seq <= until))
    };
    let mut beyond = 1;
    while is_there(beyond)? {
        beyond *= 2;
    }
    let mut there = beyond / 2;
    while beyond - there > 1 {
        let middle = there + (beyond - there) / 2;
        if is_there(middle)? {
            there = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(there)
}

fn forward(log: &dyn Log, stream: &Stream, first: u64, end: u64, limit: u64) -> Result<Vec<PieceBody>, ReadError> {
    let (mut pieces, mut bytes, mut next) = (Vec::new(), 0, first);
    let last = end.min(first.saturating_add(limit - 1));
    while next <= last && bytes < PAGE_BYTES_MAX {
        let batch = log.read_stream(stream, next, ReadMax { events: READ, bytes: PAGE_BYTES_MAX })?;
        let Some(read_to) = batch.last().map(|envelope| envelope.stream_seq) else { break };
        next = read_to + 1;
        for envelope in batch.iter().take_while(|envelope| envelope.stream_seq <= last) {
            if bytes < PAGE_BYTES_MAX {
                bytes += envelope.payload.len();
                pieces.extend(piece(envelope));
            }
        }
    }
    Ok(pieces)
}

fn backward(log: &dyn Log, stream: &Stream, last: u64, limit: u64) -> Result<Vec<PieceBody>, ReadError> {
    let first = last.saturating_sub(limit - 1).max(1);
    let (mut pieces, mut bytes, mut stop) = (Vec::new(), 0, last + 1);
    while stop > first && bytes < PAGE_BYTES_MAX {
        let start = stop.saturating_sub(READ as u64).max(first);
        let mut batch = between(log, stream, start, stop)?;
        batch.reverse();
        for envelope in &batch {
            if bytes < PAGE_BYTES_MAX {
                bytes += envelope.payload.len();
                pieces.extend(piece(envelope));
            }
        }
        stop = start;
    }
    pieces.reverse();
    Ok(pieces)
}

/// The events from `start` up to, not including, `stop`.
pub(super) fn between(log: &dyn Log, stream: &Stream, start: u64, stop: u64) -> Result<Vec<Envelope>, ReadError> {
    let (mut found, mut next) = (Vec::new(), start);
    while next < stop {
        let batch = log.read_stream(stream, next, ReadMax { events: READ, bytes: PAGE_BYTES_MAX })?;
        let Some(read_to) = batch.last().map(|envelope| envelope.stream_seq) else { break };
        next = read_to + 1;
        found.extend(batch.into_iter().filter(|envelope| envelope.stream_seq < stop));
    }
    Ok(found)
}

fn piece(envelope: &Envelope) -> Option<PieceBody> {
    let Ok(Event::Attempt(AttemptEvent::Output(output))) = envelope.event() else { return None };
    Some(PieceBody { stream_seq: envelope.stream_seq, seq: envelope.seq, output: (&output).into(), words: Vec::new() })
}
