//! Pages of one message, in the product's colours: for when the page is not there, or not for whoever asks. No script; their
//! look is a file of their own, as their policy allows no style inside.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

/// Where the look is.
pub(super) const LOOK_PATH: &str = "/plain.css";
const LOOK: &str = include_str!("plain.css");

/// A page with a message, which is HTML; a text of ours, so nothing in it is escaped.
pub(super) fn page(message: &'static str) -> String {
    format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>Regatta</title>
<link rel=\"icon\" type=\"image/svg+xml\" href=\"/favicon.svg\">
<link rel=\"stylesheet\" href=\"{LOOK_PATH}\">
<main>
<p class=\"name\">Regatta</p>
{message}
</main>
</html>
"
    )
}

pub(super) fn look() -> Response {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, css), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], LOOK).into_response()
}
