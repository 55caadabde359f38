//! Usage: what was used and what it cost.

use axum::Json;
use axum::extract::{Query, State};
use regatta_projections::usage::UsageRows;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, Moment, look};
use crate::{Plane, Problem};

/// Days shown when nobody says how many.
const DAYS: u64 = 30;
/// Most days that are shown.
const DAYS_MAX: u64 = 366;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// How many days, and of which moment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// An event's number or a time (RFC 3339): the view as it was then. Now, when absent.
    as_of: Option<String>,
    /// How many days, the last one included: 1 to 366. 30, when absent.
    days: Option<u64>,
}

/// Shows what was used by day, gateway, agent and model, and what it cost as far as it was told.
#[utoipa::path(get, path = "/usage", operation_id = "getUsage", tag = "gateways", params(UsageQuery),
    responses((status = 200, description = "Sums, the oldest day first.", body = UsageRows)))]
async fn usage(State(plane): State<Plane>, asked: Asked<UsageQuery>) -> Result<Json<UsageRows>, Problem> {
    let Query(UsageQuery { as_of, days }) = asked?;
    let days = days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::invalid(format!("{days} days cannot be shown")).hint(format!("1 to {DAYS_MAX}")));
    }
    let moment = Moment::parse(as_of.as_deref())?;
    look(&plane, moment, move |views, now_us| views.usage.view(days, now_us)).await.map(Json)
}
