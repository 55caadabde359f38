//! The configuration, and what the doctor finds.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::{Caller, json};
use crate::premises::{ConfigChange, ConfigRow, Finding};
use crate::{Plane, Problem};

pub(super) fn routes() -> Router<Plane> {
    Router::new()
        .route("/config", get(config))
        .route("/config/history", get(history))
        .route("/config/{key}", put(configure))
        .route("/doctor", get(doctor))
}

/// `GET /config`
pub(super) async fn config(State(plane): State<Plane>) -> Result<Json<Vec<ConfigRow>>, Problem> {
    Ok(Json(plane.premises.config().await?))
}

/// `GET /config/history`
pub(super) async fn history(State(plane): State<Plane>) -> Result<Json<Vec<ConfigChange>>, Problem> {
    Ok(Json(plane.premises.config_history().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigRequest {
    value: Value,
}

/// `PUT /config/{key}`
pub(super) async fn configure(
    State(plane): State<Plane>,
    Path(key): Path<String>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ConfigRow>, Problem> {
    let request: ConfigRequest = json(body)?;
    Ok(Json(plane.premises.configure(&key, request.value, caller.actor).await?))
}

/// `GET /doctor`
pub(super) async fn doctor(State(plane): State<Plane>) -> Json<Vec<Finding>> {
    Json(plane.premises.doctor().await)
}
