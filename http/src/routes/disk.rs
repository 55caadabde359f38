//! The disk: what takes its room, what may go, and having that moved into archives, put back, or removed for good. Nothing
//! is decided here.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use futures_util::future::join_all;
use regatta_core::cleaning::FOLDER;
use regatta_core::event::cleaning::Wish;
use regatta_core::{AttemptId, Clock as _, SystemClock};
use regatta_dispatcher::{Asked as AskedBy, CommandKey};
use regatta_projections::Views;
use regatta_projections::disk::{LEFT_ROWS_MAX, LeftAsked, LeftWish, Only};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, look, resolve, resolve_attempt, rows};
use super::{Body, Caller, json, seen};
use crate::premises::{DiskBody, DiskPart, DiskSort, Measured};
use crate::requests::{CleanAnswer, CleanRequest, CleanRow, CleanedRequest};
use crate::{Plane, Problem};

/// Rows shown when nobody says how many.
const ROWS: usize = 200;
/// Most names in one question.
const NAMES_MAX: usize = 200;
/// Most attempts in one command.
const ATTEMPTS_MAX: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(disk)).routes(routes!(clean)).routes(routes!(restore)).routes(routes!(forget))
}

/// What is asked of the disk.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiskQuery {
    /// Only these runs and attempts, with commas: `7q2k9x0m,zes9ew2x.b`; they may be written short.
    only: Option<String>,
    /// What ended less than so many milliseconds ago stays.
    older_than_ms: Option<u64>,
    /// Only attempts to which it can be done.
    #[serde(rename = "for")]
    #[param(inline)]
    wish: Option<LeftWish>,
    /// Most rows, at most 1,000.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// Shows what takes the room, and which attempts' patches and artifacts may go, with why the others stay.
#[utoipa::path(get, path = "/disk", operation_id = "getDisk", tag = "disk", params(DiskQuery),
    responses((status = 200, description = "The disk.", body = DiskBody)))]
async fn disk(State(plane): State<Plane>, asked: Asked<DiskQuery>) -> Result<Json<DiskBody>, Problem> {
    let Query(DiskQuery { only, older_than_ms, wish, limit }) = asked?;
    let limit = rows(limit, ROWS, LEFT_ROWS_MAX)?;
    let measured = plane.premises.disk().await?;
    let asked = LeftAsked {
        only: Vec::new(),
        since_us: older_than_ms.map(since_us),
        wish,
        limit,
        first: plane.log.first(),
        workspaces: measured.workspaces.clone(),
    };
    // Every run is looked at, so not while others wait; a copy copies no run.
    let views = look(&plane, None, |views, _| views.clone()).await?;
    let found = tokio::task::spawn_blocking(move || {
        let only = named(&views, only.as_deref().unwrap_or_default())?;
        Ok::<_, Problem>(views.left(&LeftAsked { only, ..asked }))
    });
    let left = found.await.map_err(|error| Problem::internal("look at the disk", &error))??;
    let Measured { folder, total_bytes, free_bytes, parts, .. } = measured;
    let archives = format!("{folder}/{FOLDER}");
    let parts = split(parts, [left.patches_bytes, left.artifacts_bytes, left.prompts_bytes]);
    Ok(Json(DiskBody { folder, total_bytes, free_bytes, parts, archives, left }))
}

fn since_us(older_than_ms: u64) -> u64 {
    let age = Duration::from_millis(older_than_ms).as_micros();
    SystemClock.now_us().saturating_sub(u64::try_from(age).unwrap_or(u64::MAX))
}

/// The runs and attempts that are meant.
fn named(views: &Views, only: &str) -> Result<Vec<Only>, Problem> {
    let names: Vec<&str> = only.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > NAMES_MAX {
        return Err(Problem::invalid(format!("at most {NAMES_MAX} names are looked for at once")));
    }
    let meant = |name: &str| {
        if name.contains('.') {
            resolve_attempt(views, name).map(Only::Attempt)
        } else {
            resolve(views, name).map(Only::Run)
        }
    };
    names.into_iter().map(meant).collect()
}

/// Tells the blobs apart by what they are; what no attempt and no run names is the rest.
fn split(parts: Vec<DiskPart>, named: [u64; 3]) -> Vec<DiskPart> {
    let mut split = Vec::with_capacity(parts.len() + 3);
    for part in parts {
        if part.sort != DiskSort::Unnamed {
            split.push(part);
            continue;
        }
        let sorts = [DiskSort::Patches, DiskSort::Artifacts, DiskSort::Prompts];
        split.extend(sorts.into_iter().zip(named).map(|(sort, bytes)| DiskPart { sort, bytes }));
        let rest = part.bytes.saturating_sub(named.iter().sum());
        split.push(DiskPart { sort: DiskSort::Unnamed, bytes: rest });
    }
    split.retain(|part| part.bytes > 0);
    split.sort_by_key(|part| (std::cmp::Reverse(part.bytes), part.sort));
    split
}

/// Has the patches and artifacts of attempts moved into archives, one each, and then removed. It is done in the background:
/// `cleaning` of each attempt says how far it is.
#[utoipa::path(post, path = "/disk/clean", operation_id = "cleanAttempts", tag = "disk", request_body = CleanRequest,
    responses((status = 200, description = "It is on disk and will be done, but for what was refused.",
        body = CleanAnswer)))]
async fn clean(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<Json<CleanAnswer>, Problem> {
    let CleanRequest { attempts, to } = json(body)?;
    ask(&plane, attempts, &Wish::Clean { to }, caller.asked()).await
}

/// Has the patches and artifacts of attempts put back out of their archives, each checked by its hash.
#[utoipa::path(post, path = "/disk/restore", operation_id = "restoreCleaned", tag = "disk",
    request_body = CleanedRequest,
    responses((status = 200, description = "It is on disk and will be done, but for what was refused.",
        body = CleanAnswer)))]
async fn restore(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<Json<CleanAnswer>, Problem> {
    let CleanedRequest { attempts } = json(body)?;
    ask(&plane, attempts, &Wish::Return, caller.asked()).await
}

/// Has the archives of attempts removed for good: what is in them cannot be had back.
#[utoipa::path(post, path = "/disk/forget", operation_id = "forgetCleaned", tag = "disk",
    request_body = CleanedRequest,
    responses((status = 200, description = "It is on disk and will be done, but for what was refused.",
        body = CleanAnswer)))]
async fn forget(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<Json<CleanAnswer>, Problem> {
    let CleanedRequest { attempts } = json(body)?;
    ask(&plane, attempts, &Wish::Forget, caller.asked()).await
}

/// Asks for each attempt. When all of it is refused, that is the answer.
async fn ask(
    plane: &Plane,
    attempts: Vec<AttemptId>,
    wish: &Wish,
    asked: AskedBy,
) -> Result<Json<CleanAnswer>, Problem> {
    if attempts.is_empty() || attempts.len() > ATTEMPTS_MAX {
        return Err(Problem::invalid(format!("name 1 to {ATTEMPTS_MAX} attempts")));
    }
    let each = attempts.into_iter().map(|attempt| {
        let asked = AskedBy { by: asked.by.clone(), key: asked.key.as_ref().map(|key| key_of(key, attempt)) };
        async move { (attempt, plane.commands.clean(attempt.run, attempt.slot, wish.clone(), asked).await) }
    });
    let answers = join_all(each).await;
    if answers.iter().all(|(_, answer)| answer.is_err()) {
        let refusal = answers.into_iter().find_map(|(_, answer)| answer.err());
        return Err(refusal.map_or_else(|| Problem::invalid("nothing was asked"), Problem::from));
    }
    seen(plane).await;
    let rows = answers.into_iter().map(|(attempt, answer)| match answer {
        Ok(()) => CleanRow { attempt, refused: None, hint: None },
        Err(refusal) => CleanRow { attempt, refused: Some(refusal.message), hint: refusal.hint },
    });
    Ok(Json(CleanAnswer { rows: rows.collect() }))
}

/// One request asks for several attempts of a run: each is remembered by itself.
fn key_of(key: &CommandKey, attempt: AttemptId) -> CommandKey {
    CommandKey { name: format!("{}.{attempt}", key.name).into(), content: key.content.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_told_apart_and_nothing_is_counted_twice() {
        let part = |sort, bytes| DiskPart { sort, bytes };
        let parts = vec![part(DiskSort::Log, 100), part(DiskSort::Unnamed, 60), part(DiskSort::Seeds, 0)];
        let told = split(parts.clone(), [30, 20, 0]);
        let expected =
            [(DiskSort::Log, 100), (DiskSort::Patches, 30), (DiskSort::Artifacts, 20), (DiskSort::Unnamed, 10)];
        assert_eq!(told, expected.map(|(sort, bytes)| part(sort, bytes)));
        // What the views name and the disk does not have yet is no rest below nothing.
        assert_eq!(split(parts, [50, 20, 0]).last(), Some(&part(DiskSort::Artifacts, 20)));
    }
}
