//! Events: by the page, one of them, and live as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use regatta_core::Seq;
use regatta_core::event::user::Role;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, Moment, check_kept, first_at, last_at, rows};
use crate::door::least;
use crate::feed::{Cursor, Published, page};
use crate::filter::{Filter, FilterQuery};
use crate::live::Seat;
use crate::requests::EventsPage;
use crate::{EVENTS_PAGE_MAX, EventBody, Identity, Plane, Problem};

/// How often a quiet stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What it says: a comment.
const STILL_THERE: Bytes = Bytes::from_static(b":\n\n");
/// Events of a page when none is asked for.
const EVENTS_PAGE_DEFAULT: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(stream))
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The first position (`next` of the page before), or a time (RFC 3339).
    #[param(example = "1")]
    from: Option<String>,
    /// The last position, or a time.
    to: Option<String>,
    /// Events in one page, 200 when absent; a stream takes no notice.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// Names of kinds or families, with commas; one with `!` in front is left out.
    #[param(example = "run,attempt,!attempt.output")]
    kind: Option<String>,
    /// The same as `kind`.
    family: Option<String>,
    /// Beginnings of stream names, with commas.
    #[param(example = "run/7q2k9x0m,output/")]
    stream: Option<String>,
    /// Everything of one run, by its whole id.
    run: Option<String>,
    /// Everything in the streams of one attempt, by its whole id.
    attempt: Option<String>,
    /// Only what this actor caused.
    #[param(example = "user:ada")]
    actor: Option<String>,
    /// Only events whose line for people holds this, case ignored.
    text: Option<String>,
}

impl EventsQuery {
    /// The filter for somebody of that role, and the first position that is asked for.
    async fn read(self, plane: &Plane, role: Role) -> Result<(Filter, Option<Seq>), Problem> {
        let kinds: Vec<String> = self.kind.into_iter().chain(self.family).collect();
        let query = FilterQuery {
            kind: Some(kinds.join(",")),
            stream: self.stream,
            run: self.run,
            attempt: self.attempt,
            actor: self.actor,
            text: self.text,
        };
        let filter = Filter::parse(&query).map_err(Problem::invalid)?;
        let to = match Moment::parse(self.to.as_deref())? {
            Some(moment) => Some(last_at(plane, moment).await?),
            None => None,
        };
        let from = match Moment::parse(self.from.as_deref())? {
            Some(moment) => Some(first_at(plane, moment).await?),
            None => None,
        };
        Ok((filter.up_to(to).for_reader(role), from))
    }
}

/// Gives one page of events, in order. A page may be empty and yet not be the last one: compare `next` with `head`. What a
/// gateway said is in it as far as the caller's role hears it there.
#[utoipa::path(get, path = "/events", operation_id = "listEvents", tag = "events", params(EventsQuery),
    responses((status = 200, description = "One page.", body = EventsPage)))]
async fn list(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    asked: Asked<EventsQuery>,
) -> Result<Json<EventsPage>, Problem> {
    let Query(query) = asked?;
    let limit = rows(query.limit, EVENTS_PAGE_DEFAULT, EVENTS_PAGE_MAX)?;
    let (filter, from) = query.read(&plane, identity.role).await?;
    let from = first_of(&plane, &filter, from.unwrap_or(plane.log.first()))?;
    Ok(Json(page::page(&plane.log, from, limit, &filter).await?))
}

/// Gives one event.
#[utoipa::path(get, path = "/events/{seq}", operation_id = "getEvent", tag = "events",
    params(("seq" = u64, Path, description = "Its position.", example = 1)),
    responses((status = 200, description = "The event.", body = EventBody)))]
async fn one(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(seq): Path<String>,
) -> Result<Json<EventBody>, Problem> {
    let wrong = || Problem::invalid(format!("this is not a position: {seq:?}")).hint("give a number, as 1234");
    let wanted = Seq(seq.parse().map_err(|_| wrong())?);
    let head = plane.log.head();
    let none =
        || Problem::not_found(format!("there is no event {wanted}")).hint(format!("the log holds events up to {head}"));
    let envelope = page::one(&plane.log, wanted).await?.ok_or_else(none)?;
    let (least, is) = (least(&envelope), identity.role);
    if is < least {
        let detail = format!("event {wanted} is what a gateway told {least}s, and you are {is}");
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .hint("GET /events leaves out what you may not read"));
    }
    Ok(Json(EventBody::from(&envelope)))
}

/// Follows the events as server-sent events whose `id` is the Seq and whose data is an `EventBody`. Without `from` and
/// `Last-Event-ID` it begins after the last event there is. Resuming is exact, also after a restart of the server.
#[utoipa::path(get, path = "/events/stream", operation_id = "streamEvents", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last event seen.")),
    responses((status = 200, description = "Events, for ever; this is one of them.", body = inline(StreamedEvent),
        content_type = "text/event-stream")))]
async fn stream(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    asked: Asked<EventsQuery>,
) -> Result<Response, Problem> {
    let Query(query) = asked?;
    // Seen before it is asked who they are now.
    let changed = plane.auth.watch();
    let role = plane.auth.still(&identity).unwrap_or(identity.role);
    let (filter, from) = query.read(&plane, role).await?;
    let head = plane.log.head();
    let from = match last_event_id(&headers)? {
        Some(last) if last > head => return Err(ahead(last, head)),
        Some(last) => last.next(),
        None => from.unwrap_or(head.next()),
    };
    let from = first_of(&plane, &filter, from)?;
    if from < plane.log.first() {
        page::one(&plane.log, from).await?;
    }
    let (seat, cursor) = (plane.live_clients.sit()?, Cursor::new(&plane.feed, filter, from));
    let client = Client { seat, cursor, identity, changed, plane };
    let body = Body::from_stream(futures_util::stream::unfold(client, |mut client| async move {
        let piece = client.step().await?;
        Some((Ok::<_, Infallible>(piece), client))
    }));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // Some proxies keep what is small until there is more of it.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

/// An event as a stream has it.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the description")]
struct StreamedEvent {
    /// Its position; sent as `Last-Event-ID` by whoever comes again.
    id: String,
    /// An `EventBody`, as JSON in one line.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// One client of a stream.
struct Client {
    cursor: Cursor,
    identity: Identity,
    /// Tells that they may read more or less than before.
    changed: watch::Receiver<u64>,
    plane: Plane,
    #[expect(dead_code, reason = "held as long as the client is there")]
    seat: Seat,
}

impl Client {
    /// The next piece of the stream; nothing when it is over.
    async fn step(&mut self) -> Option<Bytes> {
        loop {
            if self.plane.stop.is_cancelled() {
                return None;
            }
            if self.changed.has_changed().unwrap_or(false) {
                self.changed.borrow_and_update();
                self.cursor.read_as(self.plane.auth.still(&self.identity)?);
            }
            match self.cursor.next().await {
                Ok(Some(event)) => return Some(frame(&event)),
                Ok(None) => {}
                Err(error) => {
                    // The client comes again, with its `Last-Event-ID`.
                    tracing::error!(%error, "a live stream ends: the log cannot be read");
                    return None;
                }
            }
            tokio::select! {
                grown = self.cursor.grown() => grown?,
                () = self.plane.stop.cancelled() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(STILL_THERE),
            }
        }
    }
}

/// JSON has no line breaks, so one line of data holds it.
fn frame(event: &Published) -> Bytes {
    let (json, seq) = (event.json(), event.envelope.seq.to_string());
    let mut frame = BytesMut::with_capacity(json.len() + seq.len() + 14);
    for piece in [b"id: ".as_slice(), seq.as_bytes(), b"\ndata: ", json, b"\n\n"] {
        frame.put_slice(piece);
    }
    frame.freeze()
}

/// Nothing of a run stands before its request, so reading begins there.
fn first_of(plane: &Plane, filter: &Filter, from: Seq) -> Result<Seq, Problem> {
    let Some(run) = filter.run() else { return Ok(from) };
    let one = regatta_core::ReadMax { events: 1, ..Default::default() };
    let stream = regatta_core::Stream::run(run);
    check_kept(&*plane.log, &stream)?;
    let requested = plane.log.read_stream(&stream, 1, one)?;
    Ok(requested.first().map_or(from, |first| first.seq.max(from)))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Seq>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.parse().ok());
    seq.map(|seq| Some(Seq(seq))).ok_or_else(|| Problem::invalid("Last-Event-ID is not a position of the log"))
}

fn ahead(last: Seq, head: Seq) -> Problem {
    let detail = format!("Last-Event-ID {last} is past the end of the log, which is at {head}");
    Problem::new(StatusCode::CONFLICT, "cursor_ahead", detail)
        .hint("this is another log than the one the cursor comes from; begin again without it")
}
