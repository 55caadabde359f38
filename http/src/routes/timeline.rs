//! What happened: in a run, line by line and lane by lane; in the whole install, line by line.

use axum::Json;
use axum::extract::{Path, Query, State};
use regatta_core::Seq;
use regatta_projections::Views;
use regatta_projections::timeline::{self, PAGE_ENTRIES_MAX, RunLanes, TimelineEntry, TimelineFilter, TimelinePage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::id;
use super::looking::{Asked, Moment, RunPath, last_at, look, no_run, resolve, rows};
use crate::{Plane, Problem};

/// Entries in one page when nobody says.
const TIMELINE_PAGE_DEFAULT: usize = 500;
/// Entries in one page of the whole install when nobody says.
const INSTALL_PAGE_DEFAULT: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(of_run)).routes(routes!(of_install))
}

/// What happened in a run, line by line and lane by lane.
#[derive(Debug, Serialize, ToSchema)]
struct RunTimeline {
    /// Bars and marks over time.
    lanes: RunLanes,
    /// One page of lines.
    page: TimelinePage,
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunTimelineQuery {
    /// The first position: `next` of the page before.
    #[param(value_type = Option<u64>)]
    from: Option<Seq>,
    /// Entries in one page, 500 when absent.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// An event's number or a time (RFC 3339): the timeline as it was then.
    as_of: Option<String>,
}

/// Shows what happened in a run.
#[utoipa::path(get, path = "/runs/{run}/timeline", operation_id = "getRunTimeline", tag = "timeline",
    params(RunPath, RunTimelineQuery), responses((status = 200, description = "One page.", body = RunTimeline)))]
async fn of_run(
    State(plane): State<Plane>,
    Path(RunPath { run }): Path<RunPath>,
    asked: Asked<RunTimelineQuery>,
) -> Result<Json<RunTimeline>, Problem> {
    let Query(query) = asked?;
    let limit = rows(query.limit, TIMELINE_PAGE_DEFAULT, PAGE_ENTRIES_MAX)?;
    let log = plane.log.clone();
    let find = move |views: &Views, _| -> Result<RunTimeline, Problem> {
        let run = resolve(views, &run)?;
        let lanes = views.timeline.lanes(run).ok_or_else(|| no_run(run))?;
        let filter = TimelineFilter { run: Some(run), from: query.from, ..TimelineFilter::default() };
        let page = views.timeline.page(&filter, limit);
        // Entries of long ago are in the log only.
        let begins = query.from.unwrap_or_default();
        let page = if begins < page.kept_from { timeline::read(&*log, &filter, limit)? } else { page };
        Ok(RunTimeline { lanes, page })
    };
    look(&plane, Moment::parse(query.as_of.as_deref())?, find).await?.map(Json)
}

/// Which entries of the whole install are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TimelineQuery {
    /// Only this run, by its whole id.
    run: Option<String>,
    /// Only this attempt, by its whole id.
    attempt: Option<String>,
    /// Only what this actor caused.
    #[param(example = "user:ada")]
    actor: Option<String>,
    /// Only these kinds or families, with commas.
    #[param(example = "run,attempt.finished")]
    kind: Option<String>,
    /// Only lines that hold this, case ignored.
    text: Option<String>,
    /// Only entries after this position or time: the page goes on from there to the end.
    after: Option<String>,
    /// Only entries before this position or time: the page goes back from there. Back from the end, when neither is given.
    before: Option<String>,
    /// Entries in one page, 200 when absent.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// An event's number or a time (RFC 3339): the timeline as it was then.
    as_of: Option<String>,
}

/// One page of the timeline.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    /// The entries, always in the order of their positions.
    rows: Vec<TimelineEntry>,
    /// What to pass as `after`, or as `before` when the page goes back, for the next page; nothing when there is none.
    next: Option<Seq>,
}

/// Shows what happened in the whole install, the newest first when nothing else is said.
#[utoipa::path(get, path = "/timeline", operation_id = "getTimeline", tag = "timeline", params(TimelineQuery),
    responses((status = 200, description = "One page.", body = Timeline)))]
async fn of_install(State(plane): State<Plane>, asked: Asked<TimelineQuery>) -> Result<Json<Timeline>, Problem> {
    let Query(query) = asked?;
    let limit = rows(query.limit, INSTALL_PAGE_DEFAULT, PAGE_ENTRIES_MAX)?;
    if query.after.is_some() && query.before.is_some() {
        return Err(Problem::invalid("a page goes on or back, not both").hint("leave after or before away"));
    }
    let after = place(&plane, query.after.as_deref()).await?;
    let before = place(&plane, query.before.as_deref()).await?;
    let as_of = place(&plane, query.as_of.as_deref()).await?;
    let before = before.map(|before| Seq(before.0.saturating_sub(1)));
    let filter = TimelineFilter {
        run: query.run.as_deref().map(id).transpose()?,
        attempt: query.attempt.as_deref().map(id).transpose()?,
        kinds: query.kind.iter().flat_map(|kinds| kinds.split(',')).map(str::to_owned).collect(),
        actor: query.actor,
        text: query.text,
        from: after.map(Seq::next),
        to: before.into_iter().chain(as_of).min(),
        with_output: false,
    };
    let log = plane.log.clone();
    let find = move |views: &Views, _| -> Result<Timeline, Problem> {
        let page =
            if after.is_some() { views.timeline.page(&filter, limit) } else { views.timeline.last(&filter, limit) };
        let is_kept = after.map_or(page.rows.len() == limit, |after| after.next() >= page.kept_from);
        let is_all = page.kept_from <= Seq(1);
        let page = match (is_kept || is_all, after) {
            (true, _) => page,
            (false, Some(_)) => timeline::read(&*log, &filter, limit)?,
            (false, None) => timeline::read_back(&*log, &filter, limit)?,
        };
        // A page that goes on says the first position of the next one.
        let next = if after.is_some() { page.next.map(|next| Seq(next.0.saturating_sub(1))) } else { page.next };
        Ok(Timeline { rows: page.rows, next })
    };
    look(&plane, None, find).await?.map(Json)
}

async fn place(plane: &Plane, text: Option<&str>) -> Result<Option<Seq>, Problem> {
    match Moment::parse(text)? {
        Some(moment) => last_at(plane, moment).await.map(Some),
        None => Ok(None),
    }
}
