//! Views: runs, one run, compare, timeline, attempts, fleet. Each as of now, or with `as_of` as of any moment.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use regatta_core::{AttemptId, RunId, Seq, Slot};
use regatta_projections::attempts::AttemptView;
use regatta_projections::compare::Comparison;
use regatta_projections::fleet::FleetView;
use regatta_projections::runs::{RunFilter, RunPage, RunState, RunView};
use regatta_projections::timeline::{self, RunLanes, TimelineFilter, TimelinePage};
use regatta_projections::{Can, Views};
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};

use super::id;
use super::looking::{Moment, look, resolve};
use crate::auth::{Identity, may};
use crate::{Plane, Problem};

/// Rows in one page when nobody says.
const RUNS_PAGE_DEFAULT: usize = 50;
/// Entries in one page when nobody says.
const TIMELINE_PAGE_DEFAULT: usize = 500;

type Asked<T> = Result<Query<T>, QueryRejection>;

/// Which moment a view is wanted of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AsOf {
    as_of: Option<String>,
}

impl AsOf {
    fn moment(asked: Asked<Self>) -> Result<Option<Moment>, Problem> {
        Moment::parse(asked?.0.as_of.as_deref())
    }
}

/// Which runs are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsQuery {
    /// States, with commas.
    state: Option<String>,
    repository: Option<String>,
    by: Option<String>,
    text: Option<String>,
    before: Option<Seq>,
    limit: Option<usize>,
    as_of: Option<String>,
}

/// `GET /runs?state&repository&by&text&before&limit&as_of`
pub(super) async fn runs(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    asked: Asked<RunsQuery>,
) -> Result<Json<RunPage>, Problem> {
    let Query(query) = asked?;
    let moment = Moment::parse(query.as_of.as_deref())?;
    let words = query.state.iter().flat_map(|words| words.split(',')).filter(|word| !word.is_empty());
    let filter = RunFilter {
        states: words.map(state).collect::<Result<_, _>>()?,
        repository: query.repository,
        by: query.by,
        text: query.text,
        before: query.before,
    };
    let limit = query.limit.unwrap_or(RUNS_PAGE_DEFAULT);
    let mut page = look(&plane, moment, move |views, _| views.runs.list(&filter, limit)).await?;
    page.rows.iter_mut().for_each(|row| narrow(&mut row.can, &identity));
    Ok(Json(page))
}

/// Offers only what the caller may do.
fn narrow(can: &mut Vec<Can>, identity: &Identity) {
    can.retain(|can| may(identity.role, *can));
}

fn state(word: &str) -> Result<RunState, Problem> {
    RunState::deserialize(word.into_deserializer())
        .map_err(|error: WordError| Problem::invalid(format!("{word:?} is no state of a run")).hint(error.to_string()))
}

pub(super) fn no_run(run: RunId) -> Problem {
    Problem::not_found(format!("there is no run {run}")).hint("`regatta ls` lists the runs")
}

/// `GET /runs/{run}?as_of`
pub(super) async fn run(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(run): Path<String>,
    asked: Asked<AsOf>,
) -> Result<Json<RunView>, Problem> {
    let find = move |views: &Views, _| {
        let run = resolve(views, &run)?;
        views.run(run).ok_or_else(|| no_run(run))
    };
    let mut view = look(&plane, AsOf::moment(asked)?, find).await??;
    narrow(&mut view.row.can, &identity);
    Ok(Json(view))
}

/// `GET /runs/{run}/compare?as_of`
pub(super) async fn compare(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(run): Path<String>,
    asked: Asked<AsOf>,
) -> Result<Json<Comparison>, Problem> {
    let find = move |views: &Views, now_us| {
        let run = resolve(views, &run)?;
        views.compare(run, now_us).ok_or_else(|| no_run(run))
    };
    let mut view = look(&plane, AsOf::moment(asked)?, find).await??;
    view.columns.iter_mut().for_each(|column| narrow(&mut column.can, &identity));
    Ok(Json(view))
}

/// What happened in a run, line by line and lane by lane.
#[derive(Debug, Serialize)]
pub(super) struct RunTimeline {
    lanes: RunLanes,
    page: TimelinePage,
}

/// Which entries are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimelineQuery {
    from: Option<Seq>,
    limit: Option<usize>,
    as_of: Option<String>,
}

/// `GET /runs/{run}/timeline?from&limit&as_of`
pub(super) async fn run_timeline(
    State(plane): State<Plane>,
    Path(run): Path<String>,
    asked: Asked<TimelineQuery>,
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

/// `GET /attempts/{attempt}?as_of`
pub(super) async fn attempt(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(attempt): Path<String>,
    asked: Asked<AsOf>,
) -> Result<Json<AttemptView>, Problem> {
    let find = move |views: &Views, now_us| {
        let attempt = resolve_attempt(views, &attempt)?;
        let none = || Problem::not_found(format!("there is no attempt {attempt}")).hint("`regatta ls` lists the runs");
        views.attempt(attempt, now_us).ok_or_else(none)
    };
    let mut view = look(&plane, AsOf::moment(asked)?, find).await??;
    narrow(&mut view.can, &identity);
    Ok(Json(view))
}

/// Finds the attempt that is meant by `RUN.LETTER`, where `RUN` may be short.
pub(super) fn resolve_attempt(views: &Views, text: &str) -> Result<AttemptId, Problem> {
    let wrong = || Problem::invalid(format!("{text:?} is not an attempt")).hint("write RUN.LETTER, as 7q2k9x0m.b");
    let (run, slot) = text.rsplit_once('.').ok_or_else(wrong)?;
    let slot: Slot = id(slot)?;
    Ok(AttemptId { run: resolve(views, run)?, slot })
}

/// `GET /fleet?as_of`
pub(super) async fn fleet(State(plane): State<Plane>, asked: Asked<AsOf>) -> Result<Json<FleetView>, Problem> {
    look(&plane, AsOf::moment(asked)?, |views, now_us| views.fleet(now_us)).await.map(Json)
}
