//! Who the caller is, and the session of a browser.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json;
use crate::auth::{Identity, Place, rights, unknown};
use crate::requests::{Me, SessionRequest};
use crate::{Plane, Problem, page};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(begin, end))
}

/// Says who the caller is and what they may do.
#[utoipa::path(get, path = "/me", operation_id = "getMe", tag = "people",
    responses((status = 200, description = "The caller.", body = Me)))]
async fn me(Extension(identity): Extension<Identity>) -> Json<Me> {
    Json(who(&identity))
}

fn who(identity: &Identity) -> Me {
    let can = rights(identity.role).into_iter().map(str::to_owned).collect();
    Me { name: identity.name.to_string(), role: identity.role, can, via: identity.via }
}

/// Begins a session: a token becomes its cookie.
#[utoipa::path(post, path = "/session", operation_id = "signIn", tag = "people", request_body = SessionRequest,
    responses((status = 200, description = "Who is signed in now.", body = Me)))]
async fn begin(
    State(plane): State<Plane>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request: SessionRequest = json(body)?;
    match plane.auth.sign_in(&place, &headers, &request.token).await {
        Ok(begun) => {
            let begun = begun?;
            with_cookie(Json(who(&begun.identity)).into_response(), &begun.cookie)
        }
        Err(reason) => Ok(unknown(reason).into_response()),
    }
}

/// Ends the session.
#[utoipa::path(delete, path = "/session", operation_id = "signOut", tag = "people",
    responses((status = 204, description = "It is over.")))]
async fn end(
    State(plane): State<Plane>,
    Extension(place): Extension<Place>,
    Extension(identity): Extension<Identity>,
) -> Result<Response, Problem> {
    let cookie = plane.auth.sign_out(&place, &identity).await?;
    with_cookie(StatusCode::NO_CONTENT.into_response(), &cookie)
}

fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Problem> {
    let value = HeaderValue::from_str(cookie).map_err(|error| Problem::internal("write a cookie", &error))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(super) struct LinkQuery {
    key: Option<String>,
    /// The page it leads to.
    next: Option<String>,
}

/// A path of this page, or the first one: a link must not lead elsewhere.
fn inside(next: Option<&str>) -> &str {
    let is_ours = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_ours).unwrap_or("/")
}

/// `GET /sign-in?key&next`: a one-time link becomes the cookie of a new session, and leads
/// to a page. Whoever only asks what there is (`HEAD`, as what shows links in a chat does) does not use it up.
pub(super) async fn by_link(
    State(plane): State<Plane>,
    method: Method,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(LinkQuery { key, next }) = query?;
    let next = inside(next.as_deref());
    // Whoever is signed in already, as by this very link, has no use for it.
    if plane.auth.identify(&place, &headers).await.is_ok() {
        return Ok(Redirect::to(next).into_response());
    }
    let begun = match key.filter(|_| method != Method::HEAD) {
        Some(key) => plane.auth.sign_in_by_link(&place, &headers, &key).await,
        None => return Ok(page::serve("/sign-in", &headers)),
    };
    match begun {
        Some(begun) => with_cookie(Redirect::to(next).into_response(), &begun?.cookie),
        None => Ok(page::plain(StatusCode::UNAUTHORIZED, USED)),
    }
}

/// Shown when the link opens nothing.
const USED: &str = "<h1>This link opens nothing any more</h1>
<p>A sign-in link works once, within ten minutes, and until the server is restarted. This one was used already, is too old, or
was cut off when it was copied.</p>
<p>To get in:</p>
<ol>
<li>On the machine Regatta runs on, make a new link, and open it in this browser:
<pre>regatta token link</pre></li>
<li>Or, if you have a token, <a href=\"/sign-in\">sign in with it</a>.</li>
</ol>
<p>If you did not use the link yourself, somebody else may have: an admin sees every sign-in and its address on the timeline,
and <code>regatta log tail</code> shows them too.</p>";

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_link_leads_to_a_page_of_ours_only() {
        for (next, leads_to) in [
            (Some("/runs/7q2k9x0m?view=diff"), "/runs/7q2k9x0m?view=diff"),
            (None, "/"),
            (Some("//elsewhere"), "/"),
            (Some("/\\elsewhere"), "/"),
            (Some("https://elsewhere"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
        ] {
            assert_eq!(inside(next), leads_to, "{next:?}");
        }
    }
}
