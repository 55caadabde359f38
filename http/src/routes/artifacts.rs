//! Artifacts: what an attempt left besides its change. They are looked up by name in the log and read by hash, so that no
//! name is ever a path here; and they are handed out as something to save, never as something to show.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::parse_range_header;
use regatta_core::event::AttemptEvent;
use regatta_core::event::attempt::{ARTIFACT_NAME_BYTES_MAX, Artifact, ArtifactsCollected, OmittedArtifact, Phase};
use regatta_core::{AttemptId, Event, Log};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::{each, found_there};
use super::compose::HARMLESS;
use super::looking::AttemptPath;
use crate::works::{ArtifactRow, ArtifactsBody};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(download))
}

/// Lists what an attempt left besides its change.
#[utoipa::path(get, path = "/attempts/{attempt}/artifacts", operation_id = "listArtifacts", tag = "attempts",
    params(AttemptPath), responses((status = 200, description = "The artifacts.", body = ArtifactsBody)))]
async fn list(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
) -> Result<Json<ArtifactsBody>, Problem> {
    let attempt = found_there(&plane, attempt).await?;
    Ok(Json(read(&plane, attempt).await?.body()))
}

/// Gives the bytes of an artifact, to be saved; a range of them when one is asked for.
#[utoipa::path(get, path = "/attempts/{attempt}/artifacts/{*name}", operation_id = "getArtifact", tag = "attempts",
    params(AttemptPath, ("name" = String, Path, description = "Its name, as the list has it."),
        ("Range" = Option<String>, Header, description = "One range of bytes.")),
    responses(
        (status = 200, description = "The bytes.", body = [u8], content_type = "application/octet-stream"),
        (status = 206, description = "The range.", body = [u8], content_type = "application/octet-stream")))]
async fn download(
    State(plane): State<Plane>,
    Path((attempt, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check(&name)?;
    let attempt = found_there(&plane, attempt).await?;
    let none = || {
        Problem::not_found(format!("attempt {attempt} left no artifact of that name"))
            .hint(format!("regatta artifacts {attempt} lists them"))
    };
    let Some((_, artifact)) = read(&plane, attempt).await?.artifacts.remove(&name) else { return Err(none()) };
    let (blobs, hash) = (plane.blobs.clone(), artifact.blob.hash.clone());
    let content = tokio::task::spawn_blocking(move || blobs.get(&hash)).await;
    let content = content.map_err(|error| Problem::internal("read an artifact", &error))??;
    let told = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, disposition(&name)),
        (header::ETAG, format!("\"{}\"", artifact.blob.hash)),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // What stands behind a name may change with the next command.
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    let body = match asked_range(&headers, content.len() as u64) {
        Range::Whole => content.into_response(),
        Range::Part(first, last) => {
            let told = [(header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", content.len()))];
            (StatusCode::PARTIAL_CONTENT, told, part(content, first, last)).into_response()
        }
        Range::Beyond => {
            let told = [(header::CONTENT_RANGE, format!("bytes */{}", content.len()))];
            let detail = format!("the artifact has {} bytes; the range lies behind its end", content.len());
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "out_of_range", detail);
            return Ok((told, problem).into_response());
        }
    };
    Ok((told, HARMLESS, body).into_response())
}

/// No artifact is called that, whatever its attempt left; said before anything is looked up.
fn check(name: &str) -> Result<(), Problem> {
    let is_odd = name.is_empty()
        || name.len() > ARTIFACT_NAME_BYTES_MAX
        || name.contains(char::is_control)
        || name.contains('\\')
        || name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if is_odd {
        return Err(Problem::invalid("that cannot be the name of an artifact")
            .hint("names are written as the list has them: agent/report.html"));
    }
    Ok(())
}

/// What of the content is wanted.
enum Range {
    Whole,
    Part(u64, u64),
    Beyond,
}

/// Several ranges at once, and what is no range, get the whole, as RFC 9110 allows.
fn asked_range(headers: &HeaderMap, bytes: u64) -> Range {
    let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Range::Whole };
    let Ok(asked) = parse_range_header(text) else { return Range::Whole };
    match asked.validate(bytes) {
        Ok(ranges) => match ranges.as_slice() {
            [range] => Range::Part(*range.start(), *range.end()),
            _ => Range::Whole,
        },
        Err(_) => Range::Beyond,
    }
}

fn part(mut content: Vec<u8>, first: u64, last: u64) -> Vec<u8> {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
    let (first, behind) = (place(first), place(last.saturating_add(1)));
    content.truncate(behind);
    content.split_off(first.min(content.len()))
}

/// `attachment`, with the last part of its name: plain for old programs, exact for all others.
fn disposition(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let plain: String =
        file.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect();
    // The set of RFC 8187 is smaller than that of forms by one, and knows no plus.
    let exact: String = form_urlencoded::byte_serialize(file.as_bytes()).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", exact.replace('+', "%20").replace('*', "%2A"))
}

/// What is kept of an attempt, from its own stream.
#[derive(Default)]
struct Left {
    /// After which command, by name.
    artifacts: BTreeMap<String, (Phase, Artifact)>,
    omitted: Vec<OmittedArtifact>,
    omitted_count: u64,
    failures: Vec<String>,
}

async fn read(plane: &Plane, attempt: AttemptId) -> Result<Left, Problem> {
    let log = plane.log.clone();
    let read = tokio::task::spawn_blocking(move || Left::read(&*log, attempt)).await;
    read.map_err(|error| Problem::internal("read what an attempt left", &error))?
}

impl Left {
    fn read(log: &dyn Log, attempt: AttemptId) -> Result<Self, Problem> {
        let mut left = Self::default();
        each(log, attempt, |envelope| match envelope.event() {
            // A new lease begins anew.
            Ok(Event::Attempt(AttemptEvent::Started(_))) => left = Self::default(),
            Ok(Event::Attempt(AttemptEvent::ArtifactsCollected(collected))) => left.take(collected),
            Ok(_) | Err(_) => {}
        })?;
        Ok(left)
    }

    fn take(&mut self, collected: ArtifactsCollected) {
        let phase = collected.phase;
        self.artifacts.extend(collected.artifacts.into_iter().map(|one| (one.name.clone(), (phase, one))));
        self.omitted.extend(collected.omitted);
        self.omitted_count += collected.omitted_count;
        self.failures.extend(collected.failure.map(|failure| format!("{phase}: {failure}")));
    }

    fn body(self) -> ArtifactsBody {
        let row = |(name, (phase, artifact)): (String, (Phase, Artifact))| ArtifactRow {
            name,
            phase,
            bytes: artifact.blob.bytes,
            hash: artifact.blob.hash,
            mode: format!("{:03o}", artifact.mode),
        };
        ArtifactsBody {
            rows: self.artifacts.into_iter().map(row).collect(),
            omitted: self.omitted,
            omitted_count: self.omitted_count,
            failures: self.failures,
        }
    }
}
