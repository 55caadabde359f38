//! The fleet: where attempts run, who waits, and how much of each limit is taken up.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use regatta_core::AttemptId;
use regatta_dispatcher::sandboxes::Limit;
use regatta_projections::fleet::{FleetView, InUse};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, look};
use crate::requests::{LimitBody, LimitUse};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(fleet)).routes(routes!(limits))
}

/// Shows every provider, every sandbox that exists, and who waits for what.
#[utoipa::path(get, path = "/fleet", operation_id = "getFleet", tag = "fleet", params(AsOf),
    responses((status = 200, description = "The fleet.", body = FleetView)))]
async fn fleet(State(plane): State<Plane>, asked: Asked<AsOf>) -> Result<Json<FleetView>, Problem> {
    look(&plane, AsOf::moment(asked)?, |views, now_us| views.fleet(now_us)).await.map(Json)
}

/// Shows how many attempts may be under way at once, over all providers and at each, how many are, and whose.
#[utoipa::path(get, path = "/limits", operation_id = "listLimits", tag = "fleet",
    responses((status = 200, description = "Over all providers first, then by provider.", body = [LimitBody])))]
async fn limits(State(plane): State<Plane>) -> Result<Json<Vec<LimitBody>>, Problem> {
    let all = look(&plane, None, |views, _| views.in_use()).await?;
    Ok(Json(plane.sandboxes.limits().into_iter().map(|limit| taken_up(limit, &all)).collect()))
}

fn taken_up(limit: Limit, all: &[InUse]) -> LimitBody {
    let mut by = BTreeMap::<&str, Vec<AttemptId>>::new();
    for one in all.iter().filter(|one| limit.provider.as_ref().is_none_or(|provider| *provider == one.provider)) {
        by.entry(&one.by).or_default().push(one.attempt);
    }
    LimitBody {
        in_use: by.values().map(Vec::len).sum(),
        by: by.into_iter().map(|(by, attempts)| LimitUse { by: by.to_owned(), attempts }).collect(),
        limit,
    }
}
