//! Gateways: which there are and how the connection to each fares; adding, removing, testing, calling. A credential comes
//! in where nobody can listen, and never goes out.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use regatta_core::{GatewayName, Refusal};
use regatta_federation::{LinkNow, Secret, Tested, Wanted, is_reading};
use regatta_projections::gateways::GatewayView;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, Moment, look};
use super::{Body, Caller, id, json, seen};
use crate::auth::{Identity, Place};
use crate::requests::{CallRequest, GatewayRequest};
use crate::sensitive::{private, sensitive};
use crate::{IDEMPOTENCY_HEADER, Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(get, remove))
        .routes(routes!(test))
        .routes(routes!(read))
        .routes(routes!(call))
}

/// A gateway, and how the connection to it is this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayBody {
    /// What is recorded of it.
    #[serde(flatten)]
    pub view: GatewayView,
    /// How the connection is this moment; nothing of a moment in the past.
    pub link: Option<LinkNow>,
}

/// Every gateway of this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewaysBody {
    /// By name.
    pub rows: Vec<GatewayBody>,
}

/// What is to be read of a gateway.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReadQuery {
    /// A method that only shows something.
    #[param(example = "sessions.list")]
    method: String,
    /// Its parameters: a JSON object, as text.
    params: Option<String>,
}

/// What a call was answered.
#[derive(Debug, Serialize, ToSchema)]
struct CallAnswer {
    /// The payload as the gateway gave it.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
}

/// Lists every gateway.
#[utoipa::path(get, path = "/gateways", operation_id = "listGateways", tag = "gateways", params(AsOf),
    responses((status = 200, description = "By name.", body = GatewaysBody)))]
async fn list(State(plane): State<Plane>, asked: Asked<AsOf>) -> Result<Json<GatewaysBody>, Problem> {
    Ok(Json(all(&plane, AsOf::moment(asked)?).await?))
}

pub(super) async fn all(plane: &Plane, moment: Option<Moment>) -> Result<GatewaysBody, Problem> {
    let is_now = moment.is_none();
    let view = look(plane, moment, |views, _| views.gateways()).await?;
    Ok(GatewaysBody { rows: view.rows.into_iter().map(|view| body(plane, view, is_now)).collect() })
}

/// Adds a gateway and connects to it. Refused where others could listen, when it comes with a credential.
#[utoipa::path(post, path = "/gateways", operation_id = "addGateway", tag = "gateways", request_body = GatewayRequest,
    responses((status = 201, description = "It is on disk, and being connected to.", body = GatewayBody)))]
async fn add(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Extension(place): Extension<Place>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<GatewayBody>), Problem> {
    let request: GatewayRequest = sensitive(body)?;
    let secret = match (request.token, request.password) {
        (None, None) => None,
        (Some(token), None) => Some(Secret::Token(token)),
        (None, Some(password)) => Some(Secret::Password(password)),
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("a gateway takes a token or a password, not both"));
        }
    };
    if secret.is_some() {
        private(&identity, &place).map_err(|problem| {
            problem
                .hint("on the server's machine: regatta gateway add NAME URL --token-stdin; or serve the page over TLS")
        })?;
    }
    let wanted = Wanted { name: request.name.clone(), url: request.url, allow_plain: request.allow_plain, secret };
    plane.gateways.add(wanted, &caller.actor).await?;
    seen(&plane).await;
    Ok((StatusCode::CREATED, shown(&plane, request.name, None).await?))
}

/// Shows one gateway.
#[utoipa::path(get, path = "/gateways/{gateway}", operation_id = "getGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main"), AsOf),
    responses((status = 200, description = "The gateway.", body = GatewayBody)))]
async fn get(
    State(plane): State<Plane>,
    Path(gateway): Path<String>,
    asked: Asked<AsOf>,
) -> Result<Json<GatewayBody>, Problem> {
    shown(&plane, id(&gateway)?, AsOf::moment(asked)?).await
}

/// Removes a gateway: the connection is closed, and what proves that we may is forgotten.
#[utoipa::path(delete, path = "/gateways/{gateway}", operation_id = "removeGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main")),
    responses((status = 204, description = "It is gone.")))]
async fn remove(
    State(plane): State<Plane>,
    Path(gateway): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    plane.gateways.remove(&id(&gateway)?, &caller.actor).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Connects to a gateway once, beside the connection that is kept, and explains what happens. What was mended is tried
/// by the kept connection, too.
#[utoipa::path(post, path = "/gateways/{gateway}/test", operation_id = "testGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main")),
    responses((status = 200, description = "What happened, step by step.", body = Tested)))]
async fn test(State(plane): State<Plane>, Path(gateway): Path<String>) -> Result<Json<Tested>, Problem> {
    Ok(Json(plane.gateways.test(&id(&gateway)?).await?))
}

/// Calls a method of a gateway over the connection that is kept. What a caller must be depends on the method and, for some,
/// on its parameters.
#[utoipa::path(post, path = "/gateways/{gateway}/call", operation_id = "callGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main")), request_body = CallRequest,
    responses((status = 200, description = "What it answered.", body = CallAnswer)))]
async fn call(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(gateway): Path<String>,
    caller: Caller,
    body: Body,
) -> Result<Json<CallAnswer>, Problem> {
    // What a gateway did is in its own log, not in ours: after a restart nobody would know that it was done.
    if caller.key.is_some() {
        return Err(Problem::invalid(format!("a call takes no {IDEMPOTENCY_HEADER}: it could not be kept"))
            .hint("give the method a key of its own, where it takes one: \"idempotencyKey\" among its parameters"));
    }
    let CallRequest { method, params } = json(body)?;
    called(&plane, &identity, &caller, &gateway, &method, params.unwrap_or_else(|| serde_json::json!({}))).await
}

/// Calls a method that only shows something, such as `sessions.list`, over the connection that is kept.
#[utoipa::path(get, path = "/gateways/{gateway}/read", operation_id = "readGateway", tag = "gateways",
    params(("gateway" = String, Path, description = "Its name.", example = "main"), ReadQuery),
    responses((status = 200, description = "What it answered.", body = CallAnswer)))]
async fn read(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(gateway): Path<String>,
    asked: Asked<ReadQuery>,
    caller: Caller,
) -> Result<Json<CallAnswer>, Problem> {
    let Query(ReadQuery { method, params }) = asked?;
    if !is_reading(&method) {
        let problem = Problem::invalid(format!("the method {method} may change something"));
        return Err(problem.hint(format!("POST /gateways/{gateway}/call")));
    }
    let wrong = |error: serde_json::Error| Problem::invalid(format!("the parameters are no JSON: {error}"));
    let params = params.as_deref().map_or_else(|| Ok(serde_json::json!({})), serde_json::from_str).map_err(wrong)?;
    called(&plane, &identity, &caller, &gateway, &method, params).await
}

/// Has a method called when the caller may have it called with these parameters.
async fn called(
    plane: &Plane,
    identity: &Identity,
    caller: &Caller,
    gateway: &str,
    method: &str,
    params: Value,
) -> Result<Json<CallAnswer>, Problem> {
    let name: GatewayName = id(gateway)?;
    if !params.is_object() {
        return Err(Problem::invalid("a method's parameters are a JSON object"));
    }
    let called = plane.gateways.call(&name, method, &params, &caller.actor, identity.role).await;
    let payload = called.map_err(Refusal::from)?;
    Ok(Json(CallAnswer { payload }))
}

fn body(plane: &Plane, view: GatewayView, is_now: bool) -> GatewayBody {
    let link = if is_now { plane.gateways.link(&view.name) } else { None };
    GatewayBody { view, link }
}

async fn shown(plane: &Plane, name: GatewayName, moment: Option<Moment>) -> Result<Json<GatewayBody>, Problem> {
    let (wanted, is_now) = (name.clone(), moment.is_none());
    let view = look(plane, moment, move |views, _| views.gateway(&wanted)).await?;
    view.map(|view| Json(body(plane, view, is_now))).ok_or_else(|| none(&name))
}

pub(super) fn none(name: &GatewayName) -> Problem {
    Problem::not_found(format!("there is no gateway {name}")).hint("`regatta gateway ls` lists them")
}
