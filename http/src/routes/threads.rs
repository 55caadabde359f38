//! Threads: the conversations of gateways.

use axum::Json;
use axum::extract::{Path, Query, State};
use regatta_core::{GatewayName, ThreadId};
use regatta_projections::threads::{ThreadView, ThreadsView};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::id;
use super::looking::{AsOf, Asked, Moment, look};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which conversations, and of which moment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ThreadsQuery {
    /// An event's number or a time (RFC 3339): the view as it was then. Now, when absent.
    as_of: Option<String>,
    /// Only those of this gateway.
    gateway: Option<String>,
}

/// Lists conversations of gateways, the latest first.
#[utoipa::path(get, path = "/threads", operation_id = "listThreads", tag = "gateways", params(ThreadsQuery),
    responses((status = 200, description = "The conversations.", body = ThreadsView)))]
async fn list(State(plane): State<Plane>, asked: Asked<ThreadsQuery>) -> Result<Json<ThreadsView>, Problem> {
    let Query(ThreadsQuery { as_of, gateway }) = asked?;
    let gateway: Option<GatewayName> = gateway.as_deref().map(id).transpose()?;
    let moment = Moment::parse(as_of.as_deref())?;
    look(&plane, moment, move |views, _| views.threads.view(gateway.as_ref())).await.map(Json)
}

/// Shows one conversation: its runs, what was said, what tools did.
#[utoipa::path(get, path = "/threads/{thread}", operation_id = "getThread", tag = "gateways",
    params(("thread" = String, Path, description = "Its id.", example = "7q2k9x0m"), AsOf),
    responses((status = 200, description = "The conversation.", body = ThreadView)))]
async fn get(
    State(plane): State<Plane>,
    Path(thread): Path<String>,
    asked: Asked<AsOf>,
) -> Result<Json<ThreadView>, Problem> {
    let wanted: ThreadId = id(&thread)?;
    let view = look(&plane, AsOf::moment(asked)?, move |views, _| views.threads.get(wanted)).await?;
    view.map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no thread {thread}")).hint("GET /threads lists them"))
}
