//! Runs: the list, one of them, asking for one.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use regatta_core::Seq;
use regatta_dispatcher::RunRequest;
use regatta_projections::Views;
use regatta_projections::runs::{RUNS_PAGE_MAX, RunFilter, RunPage, RunState, RunView};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, Moment, RunPath, look, no_run, resolve, rows};
use super::{Body, Caller, json, narrow, seen};
use crate::requests::RunAccepted;
use crate::{Identity, Plane, Problem};

/// Rows in one page when nobody says.
const RUNS_PAGE_DEFAULT: usize = 50;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, request)).routes(routes!(get))
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// States, with commas.
    #[param(example = "racing,delivering")]
    state: Option<String>,
    /// Only runs of this repository, by absolute path.
    repository: Option<String>,
    /// Only runs asked for by this actor.
    #[param(example = "user:ada")]
    by: Option<String>,
    /// Only runs whose id or title contains this, case ignored.
    text: Option<String>,
    /// Only runs requested before this position: `next` of the page before.
    #[param(value_type = Option<u64>)]
    before: Option<Seq>,
    /// Rows in one page, 50 when absent.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// An event's number or a time (RFC 3339): the list as it was then.
    as_of: Option<String>,
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/runs", operation_id = "listRuns", tag = "runs", params(RunsQuery),
    responses((status = 200, description = "One page.", body = RunPage)))]
async fn list(
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
    let limit = rows(query.limit, RUNS_PAGE_DEFAULT, RUNS_PAGE_MAX)?;
    let mut page = look(&plane, moment, move |views, _| views.runs.list(&filter, limit)).await?;
    page.rows.iter_mut().for_each(|row| narrow(&mut row.can, &identity));
    Ok(Json(page))
}

fn state(word: &str) -> Result<RunState, Problem> {
    RunState::deserialize(word.into_deserializer())
        .map_err(|error: WordError| Problem::invalid(format!("no run is ever {word:?}")).hint(error.to_string()))
}

/// Shows one run.
#[utoipa::path(get, path = "/runs/{run}", operation_id = "getRun", tag = "runs", params(RunPath, AsOf),
    responses((status = 200, description = "The run.", body = RunView)))]
async fn get(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(RunPath { run }): Path<RunPath>,
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

/// Asks for a run. The same `Idempotency-Key` of the same caller again returns the first answer, for ever.
#[utoipa::path(post, path = "/runs", operation_id = "requestRun", tag = "runs", request_body = RunRequest,
    responses((status = 201, description = "It is on disk and will be done.", body = RunAccepted)))]
async fn request(
    State(plane): State<Plane>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<RunAccepted>), Problem> {
    let request: RunRequest = json(body)?;
    let key = caller.key.map(|key| key.name.to_string());
    let run = plane.commands.request_run(request, caller.actor, key).await?;
    seen(&plane).await;
    Ok((StatusCode::CREATED, Json(RunAccepted { run })))
}
