//! The gate every request passes: where it comes from, who sends it, whether they may. What it lets through carries an
//! [`Identity`]; what it answers carries the headers that keep a browser from being tricked.

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use regatta_core::event::user::Role;

use super::identity::{Credential, Door, Identity, Place, SignedIn, Via};
use super::origin::{self, Foreign};
use super::refusals::Reason;
use super::rights::{Need, RIGHTS, need};
use super::sign_in::Unknown;
use super::{Auth, proxy};
use crate::{ACTOR_HEADER, Problem};

/// What only a signed-in caller gets begins so; elsewhere are pages, which show nothing by themselves.
const API: &str = "/api/";
/// What an answer that is no page may load: nothing. The page brings its own policy.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Lets a request through, or turns it away.
pub(crate) async fn guard(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut response = match admit(&auth, &parts).await {
        Ok((place, identity)) => {
            parts.extensions.insert(place);
            if let Some(identity) = identity.clone() {
                parts.extensions.insert(identity);
            }
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if identity.is_some() {
                response.extensions_mut().insert(SignedIn);
            }
            bounded(&auth, identity, response)
        }
        Err(refusal) => refusal.into_response(),
    };
    harden(&mut response, &path);
    response
}

/// Why a request is turned away, with what the answer needs.
pub(crate) struct TurnedAway {
    problem: Box<Problem>,
    retry_after_s: Option<u64>,
}

impl From<Problem> for TurnedAway {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after_s: None }
    }
}

impl TurnedAway {
    pub(crate) fn into_response(self) -> Response {
        let status = self.problem.status;
        let mut response = self.problem.into_response();
        if status == StatusCode::UNAUTHORIZED.as_u16() {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"regatta\""));
        }
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

async fn admit(auth: &Auth, request: &Parts) -> Result<(Place, Option<Identity>), TurnedAway> {
    let door = request.extensions.get::<ConnectInfo<Door>>().map(|ConnectInfo(door)| *door);
    // A connection whose door nobody vouches for is one from anywhere.
    let door = door.unwrap_or(Door::Tcp { peer: ([0, 0, 0, 0], 0).into(), is_secure: false });
    let place = proxy::place(door, &request.headers, &auth.0.options.proxies);
    let path = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let need = path.map(|path| required(&request.method, path)).transpose()?;
    let is_guarded = request.uri.path().starts_with(API) || matches!(need, Some(Need::Role(_)));
    if door == Door::Socket {
        return at_socket(request).map(|identity| (place, Some(identity)));
    }
    plain(auth, door, &place)?;
    if request.headers.get_all(header::HOST).iter().count() > 1 {
        // RFC 9112, 3.2: a proxy before us may have believed another one than we would.
        return Err(Problem::invalid("the request has more than one Host").hint("send one Host header").into());
    }
    let asked = origin::Request {
        method: &request.method,
        headers: &request.headers,
        host: place.host.as_deref(),
        is_secure: place.is_secure,
        is_guarded,
    };
    origin::check(&auth.0.hosts, asked).map_err(|foreign| foreign_problem(auth, &place, &foreign))?;
    // Nothing is at such a path; only whoever is signed in learns that of the API.
    let need = need.unwrap_or(if is_guarded { Need::Role(Role::Viewer) } else { Need::Anyone });
    let identity = signed_in(auth, &place, request, need).await?;
    Ok((place, identity))
}

/// What the table asks for. A route that is not in it is nobody's; of a method that is not, only an admin is told so.
fn required(method: &Method, path: &str) -> Result<Need, Problem> {
    if let Some(need) = need(method, path) {
        return Ok(need);
    }
    if RIGHTS.iter().any(|(_, known, _)| *known == path) {
        return Ok(Need::Role(Role::Admin));
    }
    let detail = format!("the route {path} has no row in the table of rights");
    Err(Problem::new(StatusCode::FORBIDDEN, "no_rights", detail).hint("add one in http/src/auth/rights.rs"))
}

/// Whoever opens the socket is its owner. A proxy before it would make everybody that.
fn at_socket(request: &Parts) -> Result<Identity, TurnedAway> {
    let headers = &request.headers;
    if headers.contains_key(header::ORIGIN) || proxy::is_forwarded(headers) {
        let detail = "the socket is for its owner's own programs, and this comes for somebody else";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_the_owner", detail)
            .hint("let the proxy go to the TCP address, and start with --behind-proxy ADDRESS")
            .into());
    }
    let name = match headers.get(ACTOR_HEADER) {
        None => "local",
        Some(value) => {
            str::from_utf8(value.as_bytes()).map_err(|_| Problem::invalid(format!("{ACTOR_HEADER} is not UTF-8")))?
        }
    };
    Ok(Identity { name: name.into(), role: Role::Admin, via: Via::Socket, credential: Credential::Socket })
}

/// Off loopback and without TLS only the proxies may come.
fn plain(auth: &Auth, door: Door, place: &Place) -> Result<(), TurnedAway> {
    let Door::Tcp { peer, is_secure: false } = door else { return Ok(()) };
    let peer = peer.ip().to_canonical();
    if !auth.0.options.is_exposed || peer.is_loopback() || auth.0.options.proxies.contains(&peer) {
        return Ok(());
    }
    auth.refused(Reason::Plain, place.address);
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "not_the_proxy",
        "without TLS only the named proxy may come from another machine",
    )
    .hint("come through the proxy; or start the server with --tls-cert and --tls-key")
    .into())
}

fn foreign_problem(auth: &Auth, place: &Place, foreign: &Foreign) -> TurnedAway {
    let problem = match foreign {
        Foreign::Host(host) => {
            auth.refused(Reason::Host, place.address);
            Problem::new(StatusCode::FORBIDDEN, "foreign_host", format!("this server is not called {host:?}"))
                .hint("ask for it by its address or as localhost; or name it in regatta.toml: http.hosts = [\"…\"]")
        }
        Foreign::Origin(origin) => {
            auth.refused(Reason::Origin, place.address);
            Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                format!("a page of {origin:?} may not use this server"),
            )
            .hint("use the server's own page; programs send no Origin")
        }
    };
    problem.into()
}

/// Who it is, when they may have what they ask for.
async fn signed_in(auth: &Auth, place: &Place, request: &Parts, need: Need) -> Result<Option<Identity>, TurnedAway> {
    let Need::Role(least) = need else { return Ok(None) };
    let identity = auth.identify(place, &request.headers).await.map_err(unknown)?;
    if identity.via == Via::Session && !origin::says_where_from(&request.method, &request.headers) {
        auth.refused(Reason::Origin, place.address);
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "a browser says from which page it changes something",
        )
        .hint("programs send a token instead of a cookie: Authorization: Bearer rgt_…")
        .into());
    }
    if identity.role < least {
        auth.refused(Reason::Role, place.address);
        let detail = format!("this takes {least}, and {} comes as {}", identity.name, identity.role);
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .hint(format!(
                "an admin can give more: regatta user role {} {least}, and a token that is no less",
                identity.name
            ))
            .into());
    }
    Ok(Some(identity))
}

pub(crate) fn unknown(unknown: Unknown) -> TurnedAway {
    let hint = "open the page with a sign-in link (regatta token link), or send a token: Authorization: Bearer rgt_…";
    let problem = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", detail).hint(hint);
    match unknown {
        Unknown::Nothing => problem("nobody is signed in").into(),
        Unknown::Wrong => problem("that token opens nothing: it is wrong, revoked or expired").into(),
        Unknown::Over => problem("the session is over").into(),
        Unknown::LockedOut(seconds) => {
            let detail = format!("that token opens nothing, and too many wrong ones came from there; wait {seconds} s");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "locked_out", detail)
                .hint("a good token works at once, and so does a new sign-in link: regatta token link");
            TurnedAway { problem: Box::new(problem), retry_after_s: Some(seconds) }
        }
    }
}

/// Ends a streaming answer when its reader may not read any more.
fn bounded(auth: &Auth, identity: Option<Identity>, response: Response) -> Response {
    let Some(identity) = identity.filter(|identity| identity.credential != Credential::Socket) else { return response };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let auth = auth.clone();
    let (parts, body) = response.into_parts();
    let ended = Box::pin(auth.until_ended(identity));
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().take_until(ended)))
}

/// Adds what keeps a browser from being tricked.
fn harden(response: &mut Response, path: &str) {
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if path.starts_with(API) && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
