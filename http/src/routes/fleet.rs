//! The fleet: where attempts run and who waits.

use axum::Json;
use axum::extract::State;
use regatta_projections::fleet::FleetView;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, look};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(fleet))
}

/// Shows every provider, every sandbox that exists, and who waits for what.
#[utoipa::path(get, path = "/fleet", operation_id = "getFleet", tag = "fleet", params(AsOf),
    responses((status = 200, description = "The fleet.", body = FleetView)))]
async fn fleet(State(plane): State<Plane>, asked: Asked<AsOf>) -> Result<Json<FleetView>, Problem> {
    look(&plane, AsOf::moment(asked)?, |views, now_us| views.fleet(now_us)).await.map(Json)
}
