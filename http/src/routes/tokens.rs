//! Tokens, and sign-in links.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use regatta_core::event::user::Role;
use regatta_dispatcher::CommandKey;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json;
use crate::auth::{Identity, TokenWish};
use crate::requests::{LinkMade, TokenMade, TokenRequest, TokenRow};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, issue)).routes(routes!(revoke)).routes(routes!(link))
}

/// Lists every token, without its secret.
#[utoipa::path(get, path = "/tokens", operation_id = "listTokens", tag = "people",
    responses((status = 200, description = "The newest first.", body = [TokenRow])))]
async fn list(State(plane): State<Plane>) -> Json<Vec<TokenRow>> {
    Json(plane.auth.tokens())
}

/// Makes a token. This is the only answer that holds its secret.
#[utoipa::path(post, path = "/tokens", operation_id = "makeToken", tag = "people", request_body = TokenRequest,
    responses((status = 201, description = "It is made.", body = TokenMade)))]
async fn issue(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    key: Option<Extension<CommandKey>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<TokenMade>), Problem> {
    let request: TokenRequest = json(body)?;
    let user = request.user.unwrap_or_else(|| identity.name.to_string());
    let lasts_us = request.expires_in_s.map(|seconds| seconds.saturating_mul(1_000_000));
    let expires_at_us = lasts_us.map(|us| plane.auth.now_us().saturating_add(us));
    let wish = TokenWish { name: request.name, user, role: request.role, expires_at_us };
    let made = plane.auth.issue(identity.by(), key.map(|Extension(key)| key), wish).await?;
    Ok((StatusCode::CREATED, Json(TokenMade { id: made.id, token: made.secret })))
}

/// Revokes a token, and ends what was begun with it.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "revokeToken", tag = "people",
    params(("token" = String, Path, description = "Its public name.")),
    responses((status = 204, description = "It opens nothing any more.")))]
async fn revoke(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    plane.auth.revoke(identity.by(), token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link is always for whoever asks: there is nothing to say about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Makes a one-time sign-in link for the caller. It allows no more than what the caller shows, and ends with it.
#[utoipa::path(post, path = "/sign-in-links", operation_id = "makeSignInLink", tag = "people",
    responses((status = 201, description = "It works once.", body = LinkMade)))]
async fn link(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<LinkMade>), Problem> {
    let Nothing {} = json(body)?;
    let Some(url) = &plane.about.url else {
        return Err(Problem::new(StatusCode::CONFLICT, "no_page", "the server does not listen on TCP")
            .hint("start it with --listen 127.0.0.1:0"));
    };
    debug_assert!(identity.role == Role::Admin, "the table of rights says so");
    let key = plane.auth.link_for(&identity)?;
    Ok((StatusCode::CREATED, Json(LinkMade { link: format!("{url}/sign-in?key={key}"), url: url.clone() })))
}
