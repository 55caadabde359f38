//! The attempts of one run side by side.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use regatta_projections::Views;
use regatta_projections::compare::Comparison;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, Moment, RunPath, look, no_run, resolve};
use super::{Caller, narrow};
use crate::{Identity, Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(compare))
}

/// How a comparison is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CompareQuery {
    /// An event's number or a time (RFC 3339): as it was then.
    as_of: Option<String>,
    /// Without names, and in an order of the caller's own.
    #[serde(default)]
    blind: bool,
    /// With those that are put aside.
    #[serde(default)]
    discarded: bool,
}

/// Shows the attempts of one run side by side.
#[utoipa::path(get, path = "/runs/{run}/compare", operation_id = "compareRun", tag = "runs", params(RunPath, CompareQuery),
    responses((status = 200, description = "One column per attempt, one row per changed path.", body = Comparison)))]
async fn compare(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(RunPath { run }): Path<RunPath>,
    caller: Caller,
    asked: Asked<CompareQuery>,
) -> Result<Json<Comparison>, Problem> {
    let Query(query) = asked?;
    let moment = Moment::parse(query.as_of.as_deref())?;
    let find = move |views: &Views, now_us| {
        let run = resolve(views, &run)?;
        let whole = views.compare(run, now_us).ok_or_else(|| no_run(run))?;
        let shown = if query.discarded { whole } else { whole.without_discarded() };
        Ok::<_, Problem>(if query.blind { shown.blind(caller.actor.as_str()) } else { shown })
    };
    let mut view = look(&plane, moment, find).await??;
    view.columns.iter_mut().for_each(|column| narrow(&mut column.can, &identity));
    Ok(Json(view))
}
