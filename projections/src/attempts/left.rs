//! What an attempt left, blob by blob, and what became of it. Sums over many attempts are the business of `disk`.

use regatta_core::cleaning::{Cleaning, Delivery, Missing, Place, Standing};
use regatta_core::event::{AttemptEvent, CleaningEvent};
use regatta_core::{Actor, AttemptId, BlobRef, Envelope, RunId, Slot};
use serde::{Deserialize, Serialize};

use super::fold::{Attempts, Kept, KeptDelivery, KeptRun};
use super::view::CleaningView;

/// What an attempt left under all its leases, each blob once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct KeptLeft {
    patches: Vec<BlobRef>,
    artifacts: Vec<BlobRef>,
    /// Nothing when nobody ever asked for one.
    cleaning: Option<KeptCleaning>,
}

/// The latest cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptCleaning {
    stands: Cleaning,
    removed_bytes: u64,
    failure: Option<String>,
    by: Actor,
    at_us: u64,
}

impl KeptLeft {
    /// Takes a fact of the attempt's own.
    pub(super) fn take(&mut self, event: &AttemptEvent) {
        match event {
            AttemptEvent::Collected(collected) => {
                collected.patch.iter().for_each(|patch| add(&mut self.patches, patch));
            }
            AttemptEvent::ArtifactsCollected(collected) => {
                collected.artifacts.iter().for_each(|artifact| add(&mut self.artifacts, &artifact.blob));
            }
            AttemptEvent::Queued(_)
            | AttemptEvent::Waiting(_)
            | AttemptEvent::Started(_)
            | AttemptEvent::PhaseStarted(_)
            | AttemptEvent::Output(_)
            | AttemptEvent::PhaseEnded(_)
            | AttemptEvent::RetryScheduled(_)
            | AttemptEvent::CancelRequested(_)
            | AttemptEvent::Finished(_) => {}
        }
    }

    /// Takes a fact of its cleaning.
    pub(super) fn fold(&mut self, event: &CleaningEvent, envelope: &Envelope) {
        let (by, at_us) = (envelope.actor.clone(), envelope.at_us);
        if let CleaningEvent::Requested(_) = event {
            let kept = self.cleaning.get_or_insert_with(|| KeptCleaning {
                stands: Cleaning::default(),
                removed_bytes: 0,
                failure: None,
                by: by.clone(),
                at_us,
            });
            (kept.by, kept.at_us, kept.failure) = (by, at_us, None);
        }
        let Some(kept) = &mut self.cleaning else { return };
        kept.stands.evolve(event);
        match event {
            CleaningEvent::Removed(removed) => kept.removed_bytes = removed.blob_bytes,
            CleaningEvent::Failed(failed) => kept.failure = Some(failed.reason.clone()),
            CleaningEvent::Returned(_) => kept.removed_bytes = 0,
            CleaningEvent::Requested(_) | CleaningEvent::Archived(_) | CleaningEvent::Forgotten(_) => {}
        }
    }

    pub(super) fn place(&self) -> Place {
        self.cleaning.as_ref().map_or(Place::Here, |kept| kept.stands.place)
    }

    pub(super) fn view(&self) -> Option<CleaningView> {
        let kept = self.cleaning.as_ref()?;
        Some(CleaningView {
            place: kept.stands.place,
            archive: kept.stands.archive.clone(),
            removed_bytes: kept.removed_bytes,
            failure: kept.failure.clone(),
            by: kept.by.clone(),
            at_us: kept.at_us,
        })
    }
}

/// Most attempts leave few blobs, so looking through them is cheap.
fn add(known: &mut Vec<BlobRef>, blob: &BlobRef) {
    if !known.contains(blob) {
        known.push(blob.clone());
    }
}

impl CleaningView {
    /// Why what that attempt left cannot be read; nothing when it can.
    #[must_use]
    pub fn unreadable(&self, attempt: AttemptId) -> Option<Missing> {
        let stands = Cleaning { place: self.place, to: None, archive: self.archive.clone() };
        stands.missing(attempt).filter(|_| !self.place.is_here())
    }
}

/// What one attempt left, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftBy {
    pub(crate) attempt: AttemptId,
    pub(crate) patches: Vec<BlobRef>,
    pub(crate) artifacts: Vec<BlobRef>,
    pub(crate) cleaning: Option<CleaningView>,
    /// But for what its run alone knows.
    pub(crate) standing: Standing,
}

impl Attempts {
    /// The prompt of a run when it is kept as a blob, and what its attempts left, in slot order.
    pub(crate) fn left_by(&self, run: RunId) -> (Option<BlobRef>, Vec<LeftBy>) {
        let Some(kept_run) = self.runs.get(run) else { return (None, vec![]) };
        let each = |(slot, kept): (&Slot, &Kept)| left_by(&kept_run, AttemptId { run, slot: *slot }, kept);
        (kept_run.prompt.clone(), kept_run.attempts.iter().map(each).collect())
    }
}

fn left_by(run: &KeptRun, attempt: AttemptId, kept: &Kept) -> LeftBy {
    let mut patches = kept.left.patches.clone();
    run.put_together.get(&attempt.slot).into_iter().for_each(|patch| add(&mut patches, patch));
    let artifacts = kept.left.artifacts.clone();
    let standing = Standing {
        run_is_over: false,
        run_is_archived: false,
        is_winner: run.winner == Some(attempt.slot),
        delivery: match &kept.delivery {
            None | Some(KeptDelivery::Failed) => Delivery::None,
            Some(KeptDelivery::Intended) => Delivery::UnderWay,
            Some(KeptDelivery::Delivered(_)) => Delivery::Done,
        },
        has_left: !(patches.is_empty() && artifacts.is_empty()),
        place: kept.left.place(),
        ended_at_us: kept.finished.map(|end| end.at_us),
    };
    LeftBy { attempt, patches, artifacts, cleaning: kept.left.view(), standing }
}
