//! The attempts of one run side by side.

use axum::Json;
use axum::extract::{Extension, Path, State};
use regatta_projections::Views;
use regatta_projections::compare::Comparison;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, RunPath, look, no_run, resolve};
use super::narrow;
use crate::{Identity, Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(compare))
}

/// Shows the attempts of one run side by side.
#[utoipa::path(get, path = "/runs/{run}/compare", operation_id = "compareRun", tag = "runs", params(RunPath, AsOf),
    responses((status = 200, description = "One column per attempt, one row per changed path.", body = Comparison)))]
async fn compare(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(RunPath { run }): Path<RunPath>,
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
