//! Users and what they may do.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};

use super::json;
use crate::auth::Identity;
use crate::requests::{RoleRequest, UserRequest, UserRow};
use crate::{Plane, Problem};

type Body = Result<Bytes, BytesRejection>;

pub(super) fn routes() -> Router<Plane> {
    Router::new().route("/users", get(list).post(add)).route("/users/{user}", patch(role).delete(remove))
}

/// `GET /users`
pub(super) async fn list(State(plane): State<Plane>) -> Json<Vec<UserRow>> {
    Json(plane.auth.users())
}

/// `POST /users`
pub(super) async fn add(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: UserRequest = json(body)?;
    plane.auth.add_user(identity.by(), request.name, request.role).await?;
    Ok(StatusCode::CREATED)
}

/// `PATCH /users/{user}`
pub(super) async fn role(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(user): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: RoleRequest = json(body)?;
    plane.auth.change_role(identity.by(), user, request.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /users/{user}`
pub(super) async fn remove(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    plane.auth.remove_user(identity.by(), user).await?;
    Ok(StatusCode::NO_CONTENT)
}
