//! What attempts left, with the room it takes and whether it may go. The same bytes may have been left by many: they are
//! counted once, and free nothing as long as one of those stays. Nothing is held for this: it is worked out when asked.

mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use regatta_core::cleaning::{Place, Standing, Stays, stays};
use regatta_core::{AttemptId, BlobRef, RunId, Seq};
use serde::Deserialize;
use utoipa::ToSchema;

pub use view::{LeftRow, LeftSum, LeftView};

use crate::Views;
use crate::attempts::LeftBy;

/// Most rows that are shown.
pub const LEFT_ROWS_MAX: usize = 1_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftAsked {
    /// Only these; all when empty.
    pub only: Vec<Only>,
    /// What ended at or after this time stays, in microseconds since the Unix epoch.
    pub since_us: Option<u64>,
    /// Only those to whom it can be done; all when nothing is to be done.
    pub wish: Option<LeftWish>,
    /// Most rows; at most [`LEFT_ROWS_MAX`].
    pub limit: usize,
    /// The oldest event the log keeps.
    pub first: Seq,
    /// Bytes of the sandboxes that exist.
    pub workspaces: BTreeMap<AttemptId, u64>,
}

/// What is to be done with what attempts left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftWish {
    /// Have it moved into an archive.
    Clean,
    /// Have it put back.
    Restore,
    /// Have its archive removed for good.
    Forget,
}

impl LeftWish {
    /// Whether it can be done to an attempt.
    fn fits(self, row: &LeftRow, since_us: Option<u64>) -> bool {
        let is_old = || since_us.is_none_or(|since| row.ended_at_us.is_some_and(|at| at < since));
        match self {
            Self::Clean => row.stays.is_none(),
            Self::Restore => row.place == Place::Archived,
            Self::Forget => row.place == Place::Archived && is_old(),
        }
    }
}

/// Some attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Those of a run.
    Run(RunId),
    /// This one.
    Attempt(AttemptId),
}

impl Only {
    fn has(self, attempt: AttemptId) -> bool {
        match self {
            Self::Run(run) => attempt.run == run,
            Self::Attempt(only) => attempt == only,
        }
    }
}

impl Views {
    /// What attempts left. Looks at every run, so not while others wait for the views.
    #[must_use]
    pub fn left(&self, asked: &LeftAsked) -> LeftView {
        let mut sums = Sums::default();
        let mut found = Vec::new();
        for row in self.runs.rows() {
            let (prompt, attempts) = self.attempts.left_by(row.id);
            prompt.iter().for_each(|prompt| sums.need(prompt, Sort::Prompt, true));
            for left in attempts {
                let is_asked = asked.only.is_empty() || asked.only.iter().any(|only| only.has(left.attempt));
                let run_is_archived = row.requested_seq < asked.first;
                let standing = Standing { run_is_over: row.finished_at_us.is_some(), run_is_archived, ..left.standing };
                let stays = stays(&standing, asked.since_us);
                sums.take(&left, stays.is_some() || !is_asked);
                if is_asked {
                    found.push(Found { left, stays, title: row.title.clone() });
                }
            }
        }
        sums.view(found, asked)
    }
}

/// An attempt that was asked for.
struct Found {
    left: LeftBy,
    stays: Option<Stays>,
    title: String,
}

/// What a blob is; of several, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Patch,
    Artifact,
    Prompt,
}

/// One blob that is there.
struct Use {
    bytes: u64,
    sort: Sort,
    /// Who needs it.
    owners: u32,
    /// Those of them who stay.
    staying: u32,
}

/// Every blob that is there, by hash.
#[derive(Default)]
struct Sums(HashMap<String, Use>);

impl Sums {
    fn take(&mut self, left: &LeftBy, stays: bool) {
        if left.standing.place.needs_blobs() {
            left.patches.iter().for_each(|blob| self.need(blob, Sort::Patch, stays));
            left.artifacts.iter().for_each(|blob| self.need(blob, Sort::Artifact, stays));
        }
    }

    fn need(&mut self, blob: &BlobRef, sort: Sort, stays: bool) {
        let known = self.0.entry(blob.hash.clone());
        let known = known.or_insert(Use { bytes: blob.bytes, sort, owners: 0, staying: 0 });
        known.sort = known.sort.min(sort);
        known.owners += 1;
        known.staying += u32::from(stays);
    }

    /// Bytes nobody else needs.
    fn alone(&self, left: &LeftBy) -> u64 {
        if !left.standing.place.needs_blobs() {
            return 0;
        }
        let own = left.patches.iter().chain(left.artifacts.iter().filter(|blob| !left.patches.contains(blob)));
        let is_alone = |blob: &&BlobRef| {
            let uses = u32::from(left.patches.contains(blob)) + u32::from(left.artifacts.contains(blob));
            self.0.get(&blob.hash).is_some_and(|known| known.owners == uses)
        };
        own.filter(is_alone).map(|blob| blob.bytes).sum()
    }

    fn of(&self, sort: Sort) -> u64 {
        self.0.values().filter(|known| known.sort == sort).map(|known| known.bytes).sum()
    }

    fn view(&self, found: Vec<Found>, asked: &LeftAsked) -> LeftView {
        let mut view = LeftView {
            patches_bytes: self.of(Sort::Patch),
            artifacts_bytes: self.of(Sort::Artifact),
            prompts_bytes: self.of(Sort::Prompt),
            ..LeftView::default()
        };
        view.may_go.bytes = self.0.values().filter(|known| known.staying == 0).map(|known| known.bytes).sum();
        for found in found {
            let workspace_bytes = asked.workspaces.get(&found.left.attempt).copied().unwrap_or(0);
            let row = self.row(found, workspace_bytes);
            if let (Place::Archived, Some(archive)) = (row.place, &row.archive) {
                view.cleaned.attempts += 1;
                view.cleaned.bytes += archive.bytes;
            }
            view.may_go.attempts += u64::from(row.stays.is_none());
            let is_shown = takes(&row) > 0 || row.place.is_moving() || !asked.only.is_empty();
            if is_shown && asked.wish.is_none_or(|wish| wish.fits(&row, asked.since_us)) {
                view.rows.push(row);
            }
        }
        view.rows.sort_by_key(|row| (Reverse(takes(row)), row.attempt));
        let limit = asked.limit.min(LEFT_ROWS_MAX);
        view.rows_left_out = u64::try_from(view.rows.len().saturating_sub(limit)).unwrap_or(u64::MAX);
        view.rows.truncate(limit);
        view
    }

    fn row(&self, found: Found, workspace_bytes: u64) -> LeftRow {
        let Found { left, stays, title } = found;
        let sum = |blobs: &[BlobRef]| blobs.iter().map(|blob| blob.bytes).sum();
        let (archive, failure) =
            left.cleaning.as_ref().map_or((None, None), |view| (view.archive.clone(), view.failure.clone()));
        LeftRow {
            attempt: left.attempt,
            title,
            ended_at_us: left.standing.ended_at_us,
            patch_bytes: sum(&left.patches),
            artifacts_bytes: sum(&left.artifacts),
            workspace_bytes,
            alone_bytes: self.alone(&left),
            place: left.standing.place,
            stays: stays.map(|reason| reason.to_string()),
            archive: archive.filter(|_| left.standing.place != Place::Forgotten),
            failure,
        }
    }
}

/// Bytes of disk an attempt has to do with now.
fn takes(row: &LeftRow) -> u64 {
    let blobs = if row.place.needs_blobs() { row.patch_bytes + row.artifacts_bytes } else { 0 };
    let archive = row.archive.as_ref().map_or(0, |archive| archive.bytes);
    blobs + archive + row.workspace_bytes
}
