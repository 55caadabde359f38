//! What happened in a run, line by line and lane by lane.

use axum::Json;
use axum::extract::{Path, Query, State};
use regatta_core::Seq;
use regatta_projections::Views;
use regatta_projections::timeline::{self, RunLanes, TimelineFilter, TimelinePage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, Moment, RunPath, look, no_run, resolve};
use crate::{Plane, Problem};

/// Entries in one page when nobody says.
const TIMELINE_PAGE_DEFAULT: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(of_run))
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
    let limit = query.limit.unwrap_or(TIMELINE_PAGE_DEFAULT);
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
