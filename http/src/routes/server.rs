//! The server itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::Plane;
use crate::requests::Health;

/// `GET /health`
pub(super) async fn health(State(plane): State<Plane>) -> Json<Health> {
    Json(Health {
        version: plane.about.version.to_owned(),
        pid: std::process::id(),
        seq: plane.log.head(),
        data_dir: plane.about.data_dir.display().to_string(),
        fence: plane.about.fence.clone(),
        started_at_us: plane.about.started_at_us,
    })
}

/// `POST /shutdown`
pub(super) async fn shutdown(State(plane): State<Plane>) -> StatusCode {
    plane.stop.cancel();
    StatusCode::ACCEPTED
}
