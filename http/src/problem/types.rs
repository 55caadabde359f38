//! Every type of problem there is. Their names are stable: programs tell problems apart by them.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Problem;

/// Every type of problem: its name, its usual status, and what it means.
pub const TYPES: &[(&str, u16, &str)] = &[
    ("ambiguous", 400, "the beginning of an id fits several runs; write more of it"),
    ("archived", 410, "it was removed from the log after a backup held it; the detail says where the log begins now"),
    ("body_too_slow", 408, "the request's body was not here in time; send it at once"),
    ("busy", 429, "too much is waiting already; come again"),
    (
        "cleaned",
        410,
        "what the attempt left was cleaned; the detail says where its archive is, the hint how to put it back",
    ),
    ("conflicts", 409, "what was chosen does not go together; `conflicts` lists what with what"),
    ("cursor_ahead", 409, "the position comes from another log; begin again without it"),
    ("forbidden", 403, "the caller may not do this; an admin can change their role"),
    ("foreign_host", 403, "the request names a host this server is not; a web page may be trying to reach it"),
    ("foreign_origin", 403, "a page of another site may not use this server"),
    ("head_too_large", 431, "the request's headers and path are larger than is read"),
    ("in_the_clear", 409, "a secret is not taken over a connection others could listen to"),
    ("internal", 500, "the server failed; its own output says why"),
    ("invalid", 400, "the request is not what is expected; the detail says where"),
    ("key_reused", 422, "this idempotency key came with another body before; take a new one"),
    ("locked_out", 429, "the token is wrong, as many from there were; a good one works all the same"),
    ("method_not_allowed", 405, "the path does not take this method"),
    ("no_page", 409, "the server does not listen on TCP, so there is no page"),
    ("no_rights", 403, "nobody may use this route: it stands in no table of rights"),
    ("not_collected", 409, "what the attempt changed is not collected yet, or could not be"),
    ("not_found", 404, "there is no such path, run, attempt, event or file"),
    ("not_signed_in", 401, "nobody is signed in, or the token or session is worth nothing"),
    ("not_the_owner", 403, "the socket is for its owner's own programs"),
    ("not_the_proxy", 403, "without TLS only the named proxy may come from another machine"),
    ("out_of_range", 416, "the range of bytes asked for lies behind the end"),
    ("read_only", 503, "the disk is nearly full, so the log only reads until there is room"),
    ("repository", 422, "the repository cannot be used as it is"),
    ("too_large", 413, "the request's body, or the file asked for, is too large"),
    ("too_many_live_clients", 503, "as many live clients are connected as the server lets in"),
    ("too_many_requests", 429, "this caller asks too often; Retry-After says when to come again"),
    ("too_slow", 504, "the answer did not begin in time"),
    ("unknown", 500, "the disk failed; whether it was recorded shows `regatta ls` after the next start"),
    ("unsupported_media_type", 415, "the body is of a type that is not read"),
    ("unusable", 422, "what was asked for can be read, and cannot be done here"),
    ("upgrade_required", 426, "this is a WebSocket"),
    ("wrong_state", 409, "not now: the run or attempt is in a state that does not allow it"),
];

/// Where each type explains itself, at the root.
pub(crate) fn routes() -> Router {
    Router::new().route("/problems/{name}", get(explain))
}

async fn explain(Path(name): Path<String>) -> Response {
    match TYPES.iter().find(|(known, _, _)| *known == name) {
        Some((name, status, about)) => format!("{name} ({status}): {about}\n").into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such type of problem").into_response(),
    }
}
