//! The page: files that `http/ui` was built into, embedded in the binary. Knows nothing of the API; every address that
//! is not a file is the page itself, which reads the address in the browser.

mod plain;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built page. Debug builds read it from the checkout, so that it can be built anew without compiling.
#[derive(RustEmbed)]
#[folder = "ui/dist/app"]
#[allow_missing = true]
struct Built;

/// What the browser starts with.
const INDEX: &str = "index.html";
/// Files under it carry a hash of their content in their name.
const HASHED: &str = "assets/";
/// For files whose name changes with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For files whose name stays: they are asked for again, and answered by their hash.
const ASK_AGAIN: &str = "no-cache";
/// The page loads nothing but files of this server, runs no inline script and stands in no frame.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";
/// What stands there when the binary was built without the page.
const NOT_BUILT: &str = "<h1>The page is not built</h1>
<p>This server runs, but its binary was built without the page. With Node 20 or later, in Regatta's checkout:</p>
<pre>cargo xtask ui
cargo build --release</pre>
<p>Then start the server again: <code>regatta down</code>, <code>regatta up</code>.</p>
<p>Until then everything is on the command line: <code>regatta ls</code>, <code>regatta compare last</code>,
<code>regatta --help</code>.</p>";

/// Whether an address is one of the page, when no route has it.
pub(crate) fn is_page(request: &Request) -> bool {
    let path = request.uri().path();
    let is_api = path == "/api" || path.starts_with("/api/");
    matches!(*request.method(), Method::GET | Method::HEAD) && !is_api
}

/// A file of the page, or the page itself for any address that has no file's form.
pub(crate) fn serve(path: &str, headers: &HeaderMap) -> Response {
    let name = path.trim_start_matches('/');
    if let Some(file) = (!name.is_empty()).then(|| Built::get(name)).flatten() {
        return answer(name, &file, headers);
    }
    if path == plain::LOOK_PATH {
        return guarded(plain::look());
    }
    if name.starts_with(HASHED) {
        return (StatusCode::NOT_FOUND, "the page was built anew: reload it\n").into_response();
    }
    match Built::get(INDEX) {
        Some(index) => answer(INDEX, &index, headers),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT),
    }
}

/// A page of one message, which needs nothing of what is built.
pub(crate) fn plain(status: StatusCode, message: &'static str) -> Response {
    guarded((status, Html(plain::page(message))).into_response())
}

fn answer(name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag =
        format!("\"{}\"", file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let keep = if name.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN };
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())], file.data.to_vec()).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    guarded(response)
}

/// Adds what keeps a browser from running or framing what is not ours.
fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
