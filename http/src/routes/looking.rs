//! Looking at views: as they are now, or as they were at any position or time.

use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use regatta_core::{AttemptId, Clock as _, Log, ReadError, ReadMax, RunId, Seq, Slot, Stream, SystemClock};
use regatta_projections::runs::RunFilter;
use regatta_projections::{Projection as _, Views};
use serde::Deserialize;
use utoipa::IntoParams;

use super::id;
use crate::{Plane, Problem};

/// A query, or why it could not be read.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// Names a run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RunPath {
    /// The run's id, the beginning of one, or `last`.
    #[param(example = "7q2k9x0m")]
    pub(super) run: String,
}

/// Names an attempt.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AttemptPath {
    /// `RUN.LETTER`; the run may be written short.
    #[param(example = "7q2k9x0m.b")]
    pub(super) attempt: String,
}

/// Which moment a view is wanted of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AsOf {
    /// An event's number or a time (RFC 3339): the view as it was then. Now, when absent.
    as_of: Option<String>,
}

impl AsOf {
    pub(super) fn moment(asked: Asked<Self>) -> Result<Option<Moment>, Problem> {
        Moment::parse(asked?.0.as_of.as_deref())
    }
}

/// How many rows a page has: as many as are asked for, within the bounds of its route.
pub(super) fn rows(asked: Option<usize>, default: usize, max: usize) -> Result<usize, Problem> {
    let rows = asked.unwrap_or(default);
    if (1..=max).contains(&rows) {
        return Ok(rows);
    }
    Err(Problem::invalid(format!("limit must be between 1 and {max}")))
}

/// How long a reader waits for the views to hold what is in the log already; then it sees what they have.
const CATCH_UP: Duration = Duration::from_millis(500);
/// Runs named when the beginning of an id fits several.
const CANDIDATES_MAX: usize = 5;

/// A moment: a position, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    At(Seq),
    AtUs(u64),
}

impl Moment {
    pub(super) fn parse(text: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(text) = text else { return Ok(None) };
        if let Ok(seq) = text.parse() {
            return Ok(Some(Self::At(Seq(seq))));
        }
        let at: Option<jiff::Timestamp> = text.parse().ok();
        let at_us = at.and_then(|at| u64::try_from(at.as_microsecond()).ok());
        let wrong = || {
            Problem::invalid(format!("this is no moment: {text:?}"))
                .hint("give an event's number, as 1234, or a time, as 2026-11-22T08:00:00Z")
        };
        at_us.map(|at_us| Some(Self::AtUs(at_us))).ok_or_else(wrong)
    }
}

/// The last position that belongs to a moment.
pub(super) async fn last_at(plane: &Plane, moment: Moment) -> Result<Seq, Problem> {
    match moment {
        Moment::At(seq) => Ok(seq),
        Moment::AtUs(at_us) => find(plane, move |log| log.seq_at(at_us)).await,
    }
}

/// The first position that does not stand before a moment.
pub(super) async fn first_at(plane: &Plane, moment: Moment) -> Result<Seq, Problem> {
    match moment {
        Moment::At(seq) => Ok(seq),
        Moment::AtUs(at_us) => find(plane, move |log| log.seq_since(at_us)).await,
    }
}

async fn find(
    plane: &Plane,
    look: impl FnOnce(&dyn Log) -> Result<Seq, ReadError> + Send + 'static,
) -> Result<Seq, Problem> {
    let log = plane.log.clone();
    let found = tokio::task::spawn_blocking(move || look(&*log)).await;
    Ok(found.map_err(|error| Problem::internal("find a moment", &error))??)
}

/// Looks at the views; `look` is given the time they stand for, in microseconds.
pub(super) async fn look<T: Send + 'static>(
    plane: &Plane,
    moment: Option<Moment>,
    look: impl FnOnce(&Views, u64) -> T + Send + 'static,
) -> Result<T, Problem> {
    let Some(moment) = moment else {
        // A person who has just given a command sees what came of it. A stopped follower is told by the server's log.
        tokio::time::timeout(CATCH_UP, plane.live.wait_for(plane.log.head())).await.ok();
        return Ok(plane.live.read(|views| look(views, SystemClock.now_us())));
    };
    let (log, live) = (plane.log.clone(), plane.live.clone());
    let rebuilt = tokio::task::spawn_blocking(move || -> Result<T, ReadError> {
        let until = match moment {
            Moment::At(seq) => seq,
            Moment::AtUs(at_us) => log.seq_at(at_us)?,
        };
        let views = live.as_of(until)?;
        let now_us = views.progress().at_us;
        Ok(look(&views, now_us))
    });
    Ok(rebuilt.await.map_err(|error| Problem::internal("rebuild a view", &error))??)
}

/// The run that was asked for last.
pub(super) const LAST: &str = "last";

/// Finds the run that is meant by an id, the beginning of one, or `last`.
pub(super) fn resolve(views: &Views, text: &str) -> Result<RunId, Problem> {
    if let Ok(run) = text.parse::<RunId>() {
        return Ok(run);
    }
    let none = || Problem::not_found(format!("there is no run {text:?}")).hint("`regatta ls` lists the runs");
    if text == LAST {
        return views.runs.list(&RunFilter::default(), 1).rows.first().map(|row| row.id).ok_or_else(none);
    }
    match *candidates(views, text).as_slice() {
        [] => Err(none()),
        [only] => Ok(only),
        ref several => {
            let named: Vec<&str> = several.iter().take(CANDIDATES_MAX).map(RunId::as_str).collect();
            Err(Problem::new(StatusCode::BAD_REQUEST, "ambiguous", format!("several runs begin with {text:?}"))
                .hint(format!("write more of it: {}", named.join(", "))))
        }
    }
}

/// Runs whose id begins so; one more than is named is enough.
fn candidates(views: &Views, start: &str) -> Vec<RunId> {
    let mut found = Vec::new();
    let mut filter = RunFilter::default();
    loop {
        let page = views.runs.list(&filter, usize::MAX);
        found.extend(
            page.rows.iter().map(|row| row.id).filter(|id| !start.is_empty() && id.as_str().starts_with(start)),
        );
        match page.next {
            Some(before) if found.len() <= CANDIDATES_MAX => filter.before = Some(before),
            Some(_) | None => return found,
        }
    }
}

/// Finds the attempt that is meant by `RUN.LETTER`, where `RUN` may be short.
pub(super) fn resolve_attempt(views: &Views, text: &str) -> Result<AttemptId, Problem> {
    let wrong =
        || Problem::invalid(format!("this is not an attempt: {text:?}")).hint("write RUN.LETTER, as 7q2k9x0m.b");
    let (run, slot) = text.rsplit_once('.').ok_or_else(wrong)?;
    let slot: Slot = id(slot)?;
    Ok(AttemptId { run: resolve(views, run)?, slot })
}

/// Refuses a stream whose beginning was removed from the log.
pub(super) fn check_kept(log: &dyn Log, stream: &Stream) -> Result<(), Problem> {
    let one = ReadMax { events: 1, bytes: 0 };
    if log.first() <= Seq(1) || log.stream_head(stream)? == 0 {
        return Ok(());
    }
    let is_whole = log.read_stream(stream, 1, one)?.first().is_some_and(|first| first.stream_seq == 1);
    if is_whole { Ok(()) } else { log.read(Seq(log.first().0 - 1), one).map(drop).map_err(Problem::from) }
}

/// What to say when there is no such run.
pub(super) fn no_run(run: RunId) -> Problem {
    Problem::not_found(format!("there is no run {run}")).hint("`regatta ls` lists the runs")
}
