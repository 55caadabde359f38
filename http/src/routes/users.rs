//! Users and what they may do.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use regatta_dispatcher::CommandKey;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json;
use crate::auth::Identity;
use crate::requests::{RoleRequest, UserRequest, UserRow};
use crate::{Plane, Problem};

type Body = Result<Bytes, BytesRejection>;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(role, remove))
}

/// Lists everybody.
#[utoipa::path(get, path = "/users", operation_id = "listUsers", tag = "people",
    responses((status = 200, description = "By name.", body = [UserRow])))]
async fn list(State(plane): State<Plane>) -> Json<Vec<UserRow>> {
    Json(plane.auth.users())
}

/// Adds a user.
#[utoipa::path(post, path = "/users", operation_id = "addUser", tag = "people", request_body = UserRequest,
    responses((status = 201, description = "They are added.")))]
async fn add(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    key: Option<Extension<CommandKey>>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: UserRequest = json(body)?;
    plane.auth.add_user(identity.by(), key.map(|Extension(key)| key), request.name, request.role).await?;
    Ok(StatusCode::CREATED)
}

/// Changes what a user may do.
#[utoipa::path(patch, path = "/users/{user}", operation_id = "changeRole", tag = "people", request_body = RoleRequest,
    params(("user" = String, Path, description = "Their name.")),
    responses((status = 204, description = "It holds at once.")))]
async fn role(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(user): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: RoleRequest = json(body)?;
    plane.auth.change_role(identity.by(), user, request.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user, with their tokens and sessions.
#[utoipa::path(delete, path = "/users/{user}", operation_id = "removeUser", tag = "people",
    params(("user" = String, Path, description = "Their name.")),
    responses((status = 204, description = "They are gone.")))]
async fn remove(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    plane.auth.remove_user(identity.by(), user).await?;
    Ok(StatusCode::NO_CONTENT)
}
