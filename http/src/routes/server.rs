//! The server itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use regatta_core::bus::RelayState;

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
        url: plane.about.url.clone(),
        started_at_us: plane.about.started_at_us,
        relay: relay(&plane),
    })
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

/// `POST /shutdown`
pub(super) async fn shutdown(State(plane): State<Plane>) -> StatusCode {
    plane.stop.cancel();
    StatusCode::ACCEPTED
}
