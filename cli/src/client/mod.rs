//! Talks to a server: that of a data directory over its socket, or another one over TCP. Knows the API's paths and nothing of how things are shown.

mod events;
pub(crate) mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use regatta_http::requests::Health;
use regatta_http::{ACTOR_HEADER, CATCHING_UP_HEADER, IDEMPOTENCY_HEADER, Problem, listener};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;

pub(crate) use events::Events;
use remote::Pipe;
pub(crate) use remote::Remote;

/// What to do about a token that opens nothing.
const NEW_TOKEN: &str =
    "make a new token on the server's machine, `regatta token create NAME`, and name its file: --token-file FILE";
/// Largest answer read as JSON.
const JSON_BYTES_MAX: usize = 256 << 20;

/// The way to a server.
#[derive(Debug, Clone)]
enum Way {
    /// The socket in a data directory, whose owner this is.
    Socket {
        data_dir: PathBuf,
        /// Who asks.
        actor: String,
    },
    /// Its address, with a token that says who asks.
    Remote(Arc<Remote>),
}

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    way: Way,
    terminal: Terminal,
    /// Whether it was said that the views catch up.
    said: Arc<AtomicBool>,
}

impl Client {
    pub(crate) fn new(data_dir: &Path, actor: &str, terminal: &Terminal) -> Self {
        Self::by(Way::Socket { data_dir: data_dir.to_owned(), actor: actor.to_owned() }, terminal)
    }

    /// One that is reached by its address.
    pub(crate) fn remote(remote: Arc<Remote>, terminal: &Terminal) -> Self {
        Self::by(Way::Remote(remote), terminal)
    }

    fn by(way: Way, terminal: &Terminal) -> Self {
        Self { way, terminal: terminal.clone(), said: Arc::default() }
    }

    /// How the server is; nothing when none runs.
    pub(crate) async fn health(&self) -> Result<Option<Health>, Failure> {
        if let Way::Socket { data_dir, .. } = &self.way
            && listener::connect(data_dir).await.is_err()
        {
            return Ok(None);
        }
        self.get("/health").await.map(Some)
    }

    /// Gets a view.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.json(self.send(Method::GET, path, HeaderMap::new(), Bytes::new()).await?).await
    }

    /// Gets bytes as they are, piece by piece.
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Response<Incoming>, Failure> {
        self.send(Method::GET, path, HeaderMap::new(), Bytes::new()).await
    }

    /// Gives a command whose answer is read piece by piece.
    pub(crate) async fn post_bytes<B: Serialize>(&self, path: &str, body: &B) -> Result<Response<Incoming>, Failure> {
        self.send(Method::POST, path, HeaderMap::new(), to_json(body)?).await
    }

    /// Gives a command that answers nothing.
    pub(crate) async fn command<B: Serialize>(&self, path: &str, body: &B) -> Result<(), Failure> {
        self.send(Method::POST, path, HeaderMap::new(), to_json(body)?).await.map(drop)
    }

    /// Gives a command that answers something.
    pub(crate) async fn create<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.json(self.send(Method::POST, path, HeaderMap::new(), to_json(body)?).await?).await
    }

    /// Changes something.
    pub(crate) async fn patch<B: Serialize>(&self, path: &str, body: &B) -> Result<(), Failure> {
        self.send(Method::PATCH, path, HeaderMap::new(), to_json(body)?).await.map(drop)
    }

    /// Puts something in place.
    pub(crate) async fn put<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.json(self.send(Method::PUT, path, HeaderMap::new(), to_json(body)?).await?).await
    }

    /// Changes something and says what it is now.
    pub(crate) async fn patch_answered<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        self.json(self.send(Method::PATCH, path, HeaderMap::new(), to_json(body)?).await?).await
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, HeaderMap::new(), Bytes::new()).await.map(drop)
    }

    /// Gives a command and reads its answer.
    pub(crate) async fn command_answered<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        self.json(self.send(Method::POST, path, HeaderMap::new(), to_json(body)?).await?).await
    }

    /// Gives a command that may be repeated without being done twice.
    pub(crate) async fn command_once<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: &str,
    ) -> Result<T, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(IDEMPOTENCY_HEADER), header(key)?);
        self.json(self.send(Method::POST, path, headers, to_json(body)?).await?).await
    }

    /// Follows events, resuming whenever the connection breaks.
    pub(crate) fn events(&self, query: String) -> Events {
        Events::new(self.clone(), query)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // The connection lives as long as its answer; how it ends is seen there.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if let Some(all) = request.headers_mut() {
            *all = headers;
            all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            self.introduce(all)?;
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Failure::caused("failed to ask the server", &error))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        self.say_when_behind(response.headers());
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.collect(response).await?;
        let failure = serde_json::from_slice::<Problem>(&body).map_or_else(
            |_| Failure::new(Exit::Failed, format!("the server answered {status} without saying why")),
            Failure::from,
        );
        Err(match &self.way {
            Way::Remote(_) if status == StatusCode::UNAUTHORIZED => failure.hint(NEW_TOKEN),
            Way::Remote(_) | Way::Socket { .. } => failure,
        })
    }

    async fn connect(&self) -> Result<Box<dyn Pipe>, Failure> {
        match &self.way {
            Way::Socket { data_dir, .. } => {
                let socket = listener::connect(data_dir).await.map_err(|_| nobody_there(data_dir))?;
                Ok(Box::new(socket))
            }
            Way::Remote(remote) => remote.connect().await,
        }
    }

    /// Says who asks, and whom.
    fn introduce(&self, headers: &mut HeaderMap) -> Result<(), Failure> {
        match &self.way {
            Way::Socket { actor, .. } => {
                headers.insert(HOST, HeaderValue::from_static("regatta"));
                headers.insert(HeaderName::from_static(ACTOR_HEADER), header(actor)?);
            }
            Way::Remote(remote) => {
                headers.insert(HOST, remote.host()?);
                headers.insert(AUTHORIZATION, remote.authorization());
            }
        }
        Ok(())
    }

    /// Says once that the server's views are far behind its log.
    fn say_when_behind(&self, headers: &HeaderMap) {
        let told = headers.get(CATCHING_UP_HEADER).and_then(|told| told.to_str().ok()?.split_once('/'));
        if let Some((shown, head)) = told
            && !self.said.swap(true, Ordering::Relaxed)
        {
            self.terminal.note(format!("catching up: event {shown} of {head}; what is shown is as of then"));
        }
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let limited = Limited::new(response.into_body(), JSON_BYTES_MAX);
        let collected = limited
            .collect()
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("the server's answer could not be read: {error}")))?;
        Ok(collected.to_bytes())
    }

    async fn json<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Failure> {
        let body = self.collect(response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::caused("the server's answer is not what is expected", &error)
                .hint("server and command line may be of different versions; restart the server: regatta down && regatta up --detach")
        })
    }
}

fn nobody_there(data_dir: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("no server runs for {}", data_dir.display()))
        .hint("start one: regatta up --detach")
}

fn broken(error: hyper::Error) -> Failure {
    Failure::caused("the server hung up", &error).hint("its own output says why; regatta up starts it again")
}

fn to_json<B: Serialize>(body: &B) -> Result<Bytes, Failure> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| Failure::caused("failed to write JSON", &error))
}

fn header(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Failure::usage(format!("{text:?} cannot stand in a header")))
}
