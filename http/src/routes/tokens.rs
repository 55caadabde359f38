//! Tokens, and sign-in links.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use regatta_core::event::user::Role;

use super::json;
use crate::auth::Identity;
use crate::requests::{LinkMade, TokenMade, TokenRequest, TokenRow};
use crate::{Plane, Problem};

pub(super) fn routes() -> Router<Plane> {
    Router::new()
        .route("/tokens", get(list).post(issue))
        .route("/tokens/{token}", delete(revoke))
        .route("/sign-in-links", post(link))
}

/// `GET /tokens`
pub(super) async fn list(State(plane): State<Plane>) -> Json<Vec<TokenRow>> {
    Json(plane.auth.tokens())
}

/// `POST /tokens`: the only answer that holds the secret.
pub(super) async fn issue(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<TokenMade>), Problem> {
    let request: TokenRequest = json(body)?;
    let user = request.user.unwrap_or_else(|| identity.name.to_string());
    let lasts_us = request.expires_in_s.map(|seconds| seconds.saturating_mul(1_000_000));
    let expires_at_us = lasts_us.map(|us| plane.auth.now_us().saturating_add(us));
    let made = plane.auth.issue(identity.by(), request.name, user, request.role, expires_at_us).await?;
    Ok((StatusCode::CREATED, Json(TokenMade { id: made.id, token: made.secret })))
}

/// `DELETE /tokens/{token}`
pub(super) async fn revoke(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    plane.auth.revoke(identity.by(), token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sign-in-links`: a one-time link for the caller.
pub(super) async fn link(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
) -> Result<(StatusCode, Json<LinkMade>), Problem> {
    let Some(url) = &plane.about.url else {
        return Err(Problem::new(StatusCode::CONFLICT, "no_page", "the server does not listen on TCP")
            .hint("start it with --listen 127.0.0.1:0"));
    };
    debug_assert!(identity.role == Role::Admin, "the table of rights says so");
    let key = plane.auth.make_link(&identity.name)?;
    Ok((StatusCode::CREATED, Json(LinkMade { link: format!("{url}/sign-in?key={key}"), url: url.clone() })))
}
