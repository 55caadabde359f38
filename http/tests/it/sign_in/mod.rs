//! Sign-in as callers from everywhere meet it: who is let in, who is not, and what is recorded of it.

mod audit;
mod credentials;
mod foreign;
mod gateways;
mod roles;
mod secrets;
mod sessions;
mod streams;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use regatta_core::{ReadMax, Seq};
use regatta_http::auth::Door;
use regatta_http::requests::{LinkMade, TokenMade};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::world::{World, text};

/// The name under which a browser asks for the server.
const HOST: &str = "127.0.0.1:7433";
/// The origin of the server's own page.
const OURS: &str = "http://127.0.0.1:7433";

/// Somebody on this machine, or an agent in a sandbox of it.
fn near() -> Door {
    Door::Tcp { peer: "127.0.0.1:50000".parse().expect("address"), is_secure: false }
}

fn from(address: &str) -> Door {
    Door::Tcp { peer: format!("{address}:50000").parse().expect("address"), is_secure: false }
}

/// A request by TCP.
fn ask(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(header::HOST, HOST);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("request")
}

async fn read<T: DeserializeOwned>(response: Response<Body>) -> T {
    let (status, body) = text(response).await;
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"))
}

/// The name of a problem; empty when it is none.
async fn problem(response: Response<Body>) -> (StatusCode, String) {
    let (status, body) = text(response).await;
    let problem: Option<regatta_http::Problem> = serde_json::from_str(&body).ok();
    (status, problem.map(|problem| problem.name().to_owned()).unwrap_or_default())
}

impl World {
    async fn near(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.near_with(method, path, headers, "").await
    }

    async fn near_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        self.by(near(), ask(method, path, headers, body)).await
    }

    /// The owner adds a user with a token of that role.
    pub(crate) async fn user(&self, name: &str, role: &str) -> TokenMade {
        let body = json!({ "name": name, "role": role }).to_string();
        assert_eq!(self.post("/users", body).await.status(), StatusCode::CREATED);
        self.token(name, None).await
    }

    async fn token(&self, user: &str, expires_in_s: Option<u64>) -> TokenMade {
        let body = json!({ "name": "t", "user": user, "expires_in_s": expires_in_s }).to_string();
        read(self.post("/tokens", body).await).await
    }

    async fn link(&self) -> String {
        let made: LinkMade = read(self.post("/sign-in-links", "").await).await;
        made.link.strip_prefix(OURS).expect("ours").to_owned()
    }

    /// Signs a browser in with a token; its cookie, as it sends it.
    async fn session(&self, token: &str) -> String {
        let body = json!({ "token": token }).to_string();
        let response = self.by(near(), ask("POST", "/api/v1/session", &[("origin", OURS)], &body)).await;
        assert_eq!(response.status(), StatusCode::OK);
        cookie_of(&response)
    }

    async fn me_by_cookie(&self, cookie: &str) -> StatusCode {
        self.near("GET", "/api/v1/me", &[("cookie", cookie)]).await.status()
    }

    async fn me_by_token(&self, token: &str) -> StatusCode {
        self.near("GET", "/api/v1/me", &[("authorization", &bearer(token))]).await.status()
    }

    /// The kinds of the facts about who may do what, in order.
    fn kinds(&self) -> Vec<String> {
        let all = self.log.read(Seq(1), ReadMax::default()).expect("events");
        all.iter().map(|event| event.kind.to_string()).filter(|kind| kind.starts_with("user.")).collect()
    }

    fn everything(&self) -> String {
        let all = self.log.read(Seq(1), ReadMax::default()).expect("events");
        all.iter().map(|event| format!("{event:?} {}", String::from_utf8_lossy(&event.payload))).collect()
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn set_cookie(response: &Response<Body>) -> String {
    response.headers().get(header::SET_COOKIE).expect("a cookie").to_str().expect("text").to_owned()
}

fn cookie_of(response: &Response<Body>) -> String {
    set_cookie(response).split(';').next().expect("value").to_owned()
}
