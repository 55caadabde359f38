//! The server itself.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use regatta_core::bus::RelayState;
use regatta_core::log::scrub::Scrubbed;
use regatta_core::log::verify::Damage;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Plane;
use crate::requests::Health;

/// Faults of the log that are told here; the server's output tells all.
const DAMAGE_MAX: usize = 10;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(shutdown)).routes(routes!(openapi))
}

/// Says how the server is now; its start is that of this process, whatever moment of the log is looked at.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "server",
    responses((status = 200, description = "It answers.", body = Health)))]
async fn health(State(plane): State<Plane>) -> Json<Health> {
    Json(Health {
        version: plane.about.version.to_owned(),
        pid: std::process::id(),
        first: plane.log.first(),
        seq: plane.log.head(),
        catching_up: plane.catching_up(),
        data_dir: plane.about.data_dir.display().to_string(),
        fence: plane.about.fence.clone(),
        url: plane.about.url.clone(),
        started_at_us: plane.about.started_at_us,
        relay: relay(&plane),
        witnesses: plane.witnesses.as_ref().map(|told| told.borrow().clone()).unwrap_or_default(),
        read_only: plane.log.read_only(),
        damage: plane.scrubbed.as_ref().map(damage).unwrap_or_default(),
    })
}

fn damage(scrubbed: &watch::Receiver<Scrubbed>) -> Vec<Damage> {
    scrubbed.borrow().faults.iter().take(DAMAGE_MAX).cloned().collect()
}

/// Where the relay stands now, measured against the log as it is now.
fn relay(plane: &Plane) -> Option<RelayState> {
    let seen = plane.relay.as_ref()?;
    let mut state = RelayState { head: plane.log.head(), ..seen.borrow().clone() };
    if seen.has_changed().is_err() {
        state.connected = false;
        state.last_error.get_or_insert_with(|| "the relay has stopped: start the server again".to_owned());
    }
    Some(state)
}

/// Stops the server. What is under way in sandboxes goes on, and is found again at the next start.
#[utoipa::path(post, path = "/shutdown", operation_id = "shutdown", tag = "server",
    responses((status = 202, description = "It is about to stop.")))]
async fn shutdown(State(plane): State<Plane>) -> StatusCode {
    plane.stop.cancel();
    StatusCode::ACCEPTED
}

/// Gives this description.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)))]
async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi::json())
}
