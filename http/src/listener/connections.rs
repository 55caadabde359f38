//! How a connection is served, whichever door it came by: bounds on its head, on its silence, on how many there are.
//! Knows nothing of routes; says only by which door each connection came.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::places::{Place, Places, Vouched};
use crate::Problem;
use crate::auth::{Door, SignedIn};

/// Connections of one door at once. WebSockets do not count once they are that; see [`crate::LiveClients`].
const CONNECTIONS_MAX: usize = 8_192;
/// Files this process may have open are shared between connections and everything else, the log first of all.
const FILES_PER_CONNECTION: usize = 2;
/// Files that are asked for at the start; more would only make what attempts start slower.
const FILES_WANTED: u64 = 32_768;
/// How long a request's head may take: that of a slow sender, and that of a connection kept alive that says nothing.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// Bytes of a request's head; whoever sends more hears 431.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers of a request; whoever sends more hears 431.
const HEADERS_MAX: usize = 64;
/// So many times as much is read, so that whoever sends a little too much hears why. Past it hyper answers by itself: a 431
/// without a body, which it lets nobody fill.
const READ_ON: usize = 2;
/// Bytes that are read or written at once on one connection.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long a client may not take anything of an answer that is there for it; then it is gone.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Lets this process have as many files open as many connections need, when the machine allows it.
pub fn raise_files_max() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES_WANTED, |maximum| maximum.min(FILES_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        raised.inspect_err(|error| tracing::warn!(%error, "no more files can be open at once than before")).ok();
    }
}

/// Files this process may have open.
pub(crate) fn files_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

/// What clients of one door are held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once; past it, whoever is unknown for longest makes room.
    pub connections_max: usize,
    /// How long a request's head may take, and a connection may say nothing.
    pub head_max: Duration,
    /// How long a client may not take anything of its answer.
    pub stall_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let connections_max = CONNECTIONS_MAX.min(files_max() / FILES_PER_CONNECTION).max(1);
        Self { connections_max, head_max: HEAD_MAX, stall_max: STALL_MAX }
    }
}

/// Serves every connection until `stop`, then finishes the requests under way.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    bounds: Bounds,
    door: impl Fn(&L::Addr) -> Door,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let (connections, places) = (TaskTracker::new(), Places::new(bounds.connections_max));
    loop {
        let accepted = async {
            let (stream, address) = listener.accept().await;
            (stream, address, places.take().await)
        };
        let (stream, address, place) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let connection = Connection { door: door(&address), bounds, place, router: router.clone() };
        connections.spawn(connection.run(stream, stop.clone()));
    }
    // Nobody else comes in; whoever is in is heard to the end.
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

struct Connection {
    door: Door,
    bounds: Bounds,
    place: Place,
    router: Router,
}

impl Connection {
    async fn run<S>(self, stream: S, stop: CancellationToken)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.bounds.stall_max));
        let this = Arc::new(self);
        let answering = Arc::clone(&this);
        let service = service_fn(move |request| Arc::clone(&answering).answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(this.bounds.head_max)
            .max_header_size(READ_ON * HEAD_BYTES_MAX)
            .max_headers(READ_ON * HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut is_ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    ended.inspect_err(|error| tracing::debug!(%error, "a connection ended badly")).ok();
                    return;
                }
                () = this.place.left() => return,
                () = stop.cancelled(), if !is_ending => {
                    connection.as_mut().graceful_shutdown();
                    is_ending = true;
                }
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Held>, Infallible> {
        if is_head_too_large(&request) {
            return Ok(too_large().map(|body| Held { body, vouched: None }));
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.door));
        let response = self.router.clone().call(request).await?;
        let is_known = response.extensions().get::<SignedIn>().is_some();
        let vouched = is_known.then(|| self.place.vouch());
        Ok(response.map(|body| Held { body, vouched }))
    }
}

fn is_head_too_large<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    headers.len() > HEADERS_MAX || bytes + path > HEAD_BYTES_MAX
}

fn too_large() -> Response<Body> {
    let detail = format!("more than {HEADERS_MAX} headers, or {HEAD_BYTES_MAX} bytes of them and the path");
    let problem = Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", detail)
        .hint("a browser sends all cookies of this address: clear them; a program sends what is long in the body");
    let mut response = problem.into_response();
    // What of the request is not read yet is not waited for.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer's body; until it is sent, its connection keeps its place when its caller is known.
struct Held {
    body: Body,
    #[expect(dead_code, reason = "held, not looked at")]
    vouched: Option<Vouched>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
