//! Events, by page and live.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _};
use regatta_core::{Envelope, Seq};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::filter::{Filter, FilterQuery};
use crate::requests::EventsPage;
use crate::{EVENTS_PAGE_MAX, EventBody, Plane, Problem, feed};

/// How often a quiet stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events of a page when none is asked for.
const EVENTS_PAGE_DEFAULT: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(page)).routes(routes!(stream))
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The first position: `next` of the page before.
    from: Option<u64>,
    /// Events in one page, 200 when absent.
    limit: Option<usize>,
    /// Names of kinds or families, with commas; one with `!` in front is left out.
    #[param(example = "run,attempt,!attempt.output")]
    kind: Option<String>,
    /// Beginnings of stream names, with commas.
    #[param(example = "run/7q2k9x0m,output/")]
    stream: Option<String>,
    /// Everything of one run, by its whole id.
    run: Option<String>,
}

type EventsQueryResult = Result<Query<EventsQuery>, QueryRejection>;

impl EventsQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let query = FilterQuery { kind: self.kind.clone(), stream: self.stream.clone(), run: self.run.clone() };
        Filter::parse(&query).map_err(Problem::invalid)
    }
}

/// Gives one page of events, in order. A page may be empty and yet not be the last one: compare `next` with `head`.
#[utoipa::path(get, path = "/events", operation_id = "listEvents", tag = "events", params(EventsQuery),
    responses((status = 200, description = "One page.", body = EventsPage)))]
async fn page(State(plane): State<Plane>, query: EventsQueryResult) -> Result<Json<EventsPage>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(EVENTS_PAGE_DEFAULT);
    if !(1..=EVENTS_PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("limit must be between 1 and {EVENTS_PAGE_MAX}")));
    }
    let filter = query.filter()?;
    let from = first_of(&plane, &filter, query.from.unwrap_or(1))?;
    Ok(Json(feed::page(&plane.log, from, limit, &filter).await?))
}

/// Follows the events as server-sent events whose `id` is the Seq and whose data is an `EventBody`. Without `from` and
/// `Last-Event-ID` it begins after the last event there is.
#[utoipa::path(get, path = "/events/stream", operation_id = "streamEvents", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last event seen.")),
    responses((status = 200, description = "Events, for ever.", body = String, content_type = "text/event-stream")))]
async fn stream(
    State(plane): State<Plane>,
    headers: HeaderMap,
    query: EventsQueryResult,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(query) = query?;
    let filter = query.filter()?;
    let head = plane.log.head();
    let from = match last_event_id(&headers)? {
        Some(last) if last > head => return Err(ahead(last, head)),
        Some(last) => last.next(),
        None => query.from.map_or(head.next(), Seq),
    };
    let from = first_of(&plane, &filter, from.0)?;
    let events = feed::live(plane.log, from, filter, plane.stop).map(|found| Ok(sse(found)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn sse(found: Result<Envelope, regatta_core::ReadError>) -> Event {
    let event = match &found {
        Ok(envelope) => Event::default().id(envelope.seq.to_string()).json_data(EventBody::from(envelope)),
        Err(error) => Event::default().event("problem").json_data(Problem::internal("read the log", error)),
    };
    event.unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be written as JSON");
        Event::default().event("problem").data("{}")
    })
}

/// Nothing of a run stands before its request, so reading begins there.
fn first_of(plane: &Plane, filter: &Filter, from: u64) -> Result<Seq, Problem> {
    let Some(run) = filter.run() else { return Ok(Seq(from)) };
    let one = regatta_core::ReadMax { events: 1, ..Default::default() };
    let requested = plane.log.read_stream(&regatta_core::Stream::run(run), 1, one)?;
    Ok(Seq(requested.first().map_or(from, |first| first.seq.0.max(from))))
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
