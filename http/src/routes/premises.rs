//! The configuration, what the doctor finds, and what of the log is kept.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Body, Caller, gateways, json};
use crate::premises::{ConfigChange, ConfigRow, Finding, PruneRequest, Pruned};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(config))
        .routes(routes!(history))
        .routes(routes!(configure))
        .routes(routes!(doctor))
        .routes(routes!(prune))
}

/// Lists every key of the configuration, its value, and where that comes from. Secrets are left out.
#[utoipa::path(get, path = "/config", operation_id = "getConfig", tag = "server",
    responses((status = 200, description = "Every key.", body = [ConfigRow])))]
async fn config(State(plane): State<Plane>) -> Result<Json<Vec<ConfigRow>>, Problem> {
    Ok(Json(plane.premises.config().await?))
}

/// Lists every change of the configuration there was, the newest first.
#[utoipa::path(get, path = "/config/history", operation_id = "listConfigChanges", tag = "server",
    responses((status = 200, description = "Every change.", body = [ConfigChange])))]
async fn history(State(plane): State<Plane>) -> Result<Json<Vec<ConfigChange>>, Problem> {
    Ok(Json(plane.premises.config_history().await?))
}

/// What a key shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfigRequest {
    /// As it would stand in the configuration file; `null` takes the key out of it.
    value: Value,
}

/// Writes a value into the configuration file; it is in force after the next start, if not at once.
#[utoipa::path(put, path = "/config/{key}", operation_id = "changeConfig", tag = "server", request_body = ConfigRequest,
    params(("key" = String, Path, description = "The key, dotted.", example = "limits.local")),
    responses((status = 200, description = "The key as it is now.", body = ConfigRow)))]
async fn configure(
    State(plane): State<Plane>,
    Path(key): Path<String>,
    caller: Caller,
    body: Body,
) -> Result<Json<ConfigRow>, Problem> {
    let request: ConfigRequest = json(body)?;
    Ok(Json(plane.premises.configure(&key, request.value, caller.actor).await?))
}

/// Looks at the machine and the gateways: what is as it should be, what is not, and what to do about it.
#[utoipa::path(get, path = "/doctor", operation_id = "getFindings", tag = "server",
    responses((status = 200, description = "What was found.", body = [Finding])))]
async fn doctor(State(plane): State<Plane>) -> Result<Json<Vec<Finding>>, Problem> {
    let mut findings = plane.premises.doctor().await;
    findings.extend(gateways::all(&plane, None).await?.rows.iter().map(Finding::of_gateway));
    Ok(Json(findings))
}

/// Removes old segments of the log that are in a backup and that nobody needs any more, or says what would go.
#[utoipa::path(post, path = "/log/prune", operation_id = "pruneLog", tag = "server", request_body = PruneRequest,
    responses((status = 200, description = "What went, and why the rest stays.", body = Pruned)))]
async fn prune(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<Json<Pruned>, Problem> {
    let request: PruneRequest = json(body)?;
    Ok(Json(plane.premises.prune(request, caller.actor).await?))
}
