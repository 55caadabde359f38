//! The door to a gateway, for browsers.

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use regatta_core::GatewayName;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gateways::none;
use super::id;
use super::live::not_upgraded;
use crate::door::{Browser, FRAME_BYTES_MAX};
use crate::{Identity, Plane, Problem};

/// Where these routes stand. Not below the API's own prefix: they speak the protocol of gateways, not ours.
pub(crate) const PREFIX: &str = "/api";
/// Most bytes of a message that is read at all: whoever sends a little too much is told, and who sends more is cut off.
const MESSAGE_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Bytes read from a browser at once; an idle one keeps this much.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// Bytes of frames that leave for a browser together.
const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// Bytes that wait to be written to one browser, at most: the largest answer of a gateway.
const WRITE_BUFFER_BYTES_MAX: usize = 32 << 20;

/// The routes, without [`PREFIX`].
pub(crate) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(to_one)).routes(routes!(to_any))
}

/// Opens the door to a gateway: a WebSocket that speaks the gateway's own protocol (4), so that a client made for gateways
/// can use it. The server says `connect.challenge`, the client `connect`, the server `hello-ok`, with what the caller's
/// role may have called and hears. Credentials in `connect` are not looked at: the caller is signed in. Events have no
/// `seq`, and are on disk before they are told.
///
/// Bounds: 8 MiB a message; 256 KiB of parameters, where a method does not carry a file or a long text as `chat.send` does,
/// and 16384 values in them; 32 calls and 16 MiB of parameters under way, a minute for an answer. An error of the door itself
/// says in `details.code`: `REGATTA_ROLE` (with `needs`), `REGATTA_NOBODY`, `UNKNOWN_METHOD`, `REGATTA_TOO_LARGE` (with the
/// same parameters it is refused again), `REGATTA_BUSY`, `REGATTA_NOT_CONNECTED`, `REGATTA_LOST` and `REGATTA_TIMED_OUT` (it may have been done), `REGATTA_NOT_RECORDED`.
///
/// Closed with 1012 when the gateway's connection is lost, events are missing, the caller's rights changed, or the server
/// stops: come again and read anew. 1013: the gateway is away (the error before says why). 1008: not signed in any more, a
/// slow consumer, or no `connect` first. 1002: another protocol. 1003: not text. 1009: too large a message.
#[utoipa::path(get, path = "/gateway/{gateway}/ws", operation_id = "openGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main")),
    responses((status = 101, description = "The connection becomes a WebSocket of the gateway's protocol.")))]
async fn to_one(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(gateway): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    open(plane, identity, id(&gateway)?, upgrade)
}

/// Which gateway.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Its name; not needed when there is only one.
    gateway: Option<String>,
}

/// Opens the door to a gateway, to the only one when none is named. As `openGateway`.
#[utoipa::path(get, path = "/gateway/ws", operation_id = "openAnyGateway", tag = "gateways", params(Which),
    responses((status = 101, description = "The connection becomes a WebSocket of the gateway's protocol.")))]
async fn to_any(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    which: Result<Query<Which>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Query(Which { gateway }) = which?;
    let gateway = match gateway {
        Some(name) => id(&name)?,
        None => only(plane.gateways.names())?,
    };
    open(plane, identity, gateway, upgrade)
}

fn only(names: Vec<GatewayName>) -> Result<GatewayName, Problem> {
    match <[GatewayName; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => Err(Problem::not_found("there is no gateway")
            .hint("add one: regatta gateway add NAME URL --token-stdin, or on the page Gateways")),
        Err(names) => {
            let detail = format!("there are {} gateways, and none is named", names.len());
            Err(Problem::invalid(detail).hint("name one: /api/gateway/NAME/ws; GET /api/v1/gateways lists them"))
        }
    }
}

fn open(
    plane: Plane,
    identity: Identity,
    gateway: GatewayName,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if plane.gateways.link(&gateway).is_none() {
        return Err(none(&gateway));
    }
    let upgrade = upgrade.map_err(|no| {
        not_upgraded(&no).hint("this is a WebSocket; POST /api/v1/gateways/{gateway}/call is one call")
    })?;
    let seat = plane.live_clients.sit()?;
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| Browser::new(plane, identity, gateway, socket, seat).run()))
}
