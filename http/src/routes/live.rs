//! The live WebSocket.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::live::{Answer, Client, Request};
use crate::{Identity, Plane, Problem};

/// Largest message of a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Bytes read from a client at once; an idle one keeps this much.
const READ_BUFFER_BYTES: usize = 1 << 10;
/// Bytes that wait to be written to one client, at most: the JSON of the largest event there can be.
const WRITE_BUFFER_BYTES_MAX: usize = 32 << 20;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Tells what happens, over a WebSocket. The client says `{"subscribe": {"topic": "run", "id": "7q2k9x0m",
/// "from_seq": 120}}` (`LiveRequest`), the server answers with `LiveAnswer`. Resuming by `from_seq` is exact; who is too
/// far behind is told `reread`.
#[utoipa::path(get, path = "/live", operation_id = "live", tag = "events",
    responses(
        (status = 101, description = "The connection becomes a WebSocket of messages like these.",
            body = inline(Messages)),
    ))]
async fn live(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .map_err(|no| not_upgraded(&no).hint("this is a WebSocket; GET /events/stream has the same over plain HTTP"))?;
    let seat = plane.live_clients.sit()?;
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| Client::new(plane, identity, socket, seat).run()))
}

/// What was asked for is a WebSocket, and this request is none.
pub(super) fn not_upgraded(rejection: &WebSocketUpgradeRejection) -> Problem {
    let status = match rejection.status() {
        StatusCode::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::UPGRADE_REQUIRED,
    };
    Problem::new(status, "upgrade_required", rejection.body_text())
}

/// What is said in both directions.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the description")]
struct Messages<'a> {
    client: Request,
    server: Answer<'a>,
}
