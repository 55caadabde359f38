//! Attempts: one of them, and what it changed, byte for byte.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use regatta_core::event::attempt::{AttemptEvent, Collected};
use regatta_core::{AttemptId, Envelope, Event, Log, ReadMax, Stream};
use regatta_projections::Views;
use regatta_projections::attempts::AttemptView;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{AsOf, Asked, AttemptPath, check_kept, look, resolve_attempt};
use super::narrow;
use crate::{Identity, Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(diff))
}

/// Shows one attempt.
#[utoipa::path(get, path = "/attempts/{attempt}", operation_id = "getAttempt", tag = "attempts",
    params(AttemptPath, AsOf), responses((status = 200, description = "The attempt.", body = AttemptView)))]
async fn get(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
    asked: Asked<AsOf>,
) -> Result<Json<AttemptView>, Problem> {
    let find = move |views: &Views, now_us| {
        let attempt = resolve_attempt(views, &attempt)?;
        let none = || Problem::not_found(format!("there is no attempt {attempt}")).hint("`regatta ls` lists the runs");
        views.attempt(attempt, now_us).ok_or_else(none)
    };
    let mut view = look(&plane, AsOf::moment(asked)?, find).await??;
    narrow(&mut view.can, &identity);
    Ok(Json(view))
}

/// The attempt that is meant; its run may be written short.
pub(super) async fn found(plane: &Plane, attempt: String) -> Result<AttemptId, Problem> {
    look(plane, None, move |views, _| resolve_attempt(views, &attempt)).await?
}

/// As [`found`], when what it left is there to be read.
pub(super) async fn found_there(plane: &Plane, attempt: String) -> Result<AttemptId, Problem> {
    let find = move |views: &Views, _| {
        let attempt = resolve_attempt(views, &attempt)?;
        views.attempt(attempt, 0).map_or(Ok(()), |view| check_there(&view))?;
        Ok(attempt)
    };
    look(plane, None, find).await?
}

/// Refuses to show what was cleaned, and says how to have it back.
pub(super) fn check_there(view: &AttemptView) -> Result<(), Problem> {
    let missing = view.cleaning.as_ref().and_then(|cleaning| cleaning.unreadable(view.id));
    missing.map_or(Ok(()), |missing| Err(missing.into()))
}

/// Which diff is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// Another attempt, by its letter when it is of the same run; the base when absent.
    against: Option<String>,
}

/// Gives what an attempt changed against the base or another attempt: the patch as git wrote it.
#[utoipa::path(get, path = "/attempts/{attempt}/diff", operation_id = "getDiff", tag = "attempts",
    params(AttemptPath, DiffQuery),
    responses((status = 200, description = "The patch.", body = [u8], content_type = "text/x-patch")))]
async fn diff(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
    asked: Asked<DiffQuery>,
) -> Result<Response, Problem> {
    if let Some(against) = asked?.0.against {
        return super::compose::diff_against(plane, attempt, against).await;
    }
    let attempt = found_there(&plane, attempt).await?;
    let read = move || -> Result<Vec<u8>, Problem> {
        let collected = Facts::read(&*plane.log, attempt)?.collected.ok_or_else(|| not_collected(attempt))?;
        match (collected.patch, collected.failure) {
            (Some(patch), _) => Ok(plane.blobs.get(&patch.hash)?),
            (None, None) => Ok(Vec::new()),
            (None, Some(reason)) => Err(collect_failed(attempt, &reason)),
        }
    };
    let patch =
        tokio::task::spawn_blocking(read).await.map_err(|error| Problem::internal("read a patch", &error))??;
    Ok(([(header::CONTENT_TYPE, "text/x-patch")], patch).into_response())
}

pub(super) fn collect_failed(attempt: AttemptId, reason: &str) -> Problem {
    let detail = format!("what {attempt} changed could not be collected: {reason}");
    Problem::new(StatusCode::CONFLICT, "not_collected", detail)
}

pub(super) fn not_collected(attempt: AttemptId) -> Problem {
    let detail = format!("nothing has been collected from {attempt} yet");
    Problem::new(StatusCode::CONFLICT, "not_collected", detail)
        .hint("a patch is there once the agent has ended; see `regatta show`")
}

/// What the raw routes need to know of an attempt, from its own stream.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) epoch: u32,
    pub(super) collected: Option<Collected>,
}

impl Facts {
    pub(super) fn read(log: &dyn Log, attempt: AttemptId) -> Result<Self, Problem> {
        let mut facts = Self::default();
        each(log, attempt, |envelope| facts.apply(envelope))?;
        Ok(facts)
    }

    fn apply(&mut self, envelope: &Envelope) {
        match envelope.event() {
            Ok(Event::Attempt(AttemptEvent::Started(started))) => self.epoch = started.epoch,
            Ok(Event::Attempt(AttemptEvent::Collected(collected))) => self.collected = Some(collected),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Every fact of an attempt's own stream, in order.
pub(super) fn each(log: &dyn Log, attempt: AttemptId, mut take: impl FnMut(&Envelope)) -> Result<(), Problem> {
    let mut next = 1;
    check_kept(log, &Stream::attempt(attempt))?;
    loop {
        let batch = log.read_stream(&Stream::attempt(attempt), next, ReadMax::default())?;
        let Some(last) = batch.last() else { break };
        next = last.stream_seq + 1;
        batch.iter().for_each(&mut take);
    }
    if next == 1 {
        return Err(Problem::not_found(format!("there is no attempt {attempt}")).hint("`regatta ls` lists the runs"));
    }
    Ok(())
}
