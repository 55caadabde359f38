//! What of the log is kept: on a schedule and when somebody asks, old segments that are in a backup and that nobody
//! needs any more are removed. Asks everybody who may need them, has said again what the removed events alone would
//! say, records that they are let go of, and only then has the log remove them. Which segments go is decided in
//! `core/src/log/retention.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regatta_core::bus::RelayState;
use regatta_core::event::LogEvent;
use regatta_core::event::log::{Released, ReleasedSegment};
use regatta_core::log::backup::{archive, holds, receipts};
use regatta_core::log::retention::{Keep, Need, Plan, Stays, plan};
use regatta_core::log::verify::Damage;
use regatta_core::log::witness::WitnessState;
use regatta_core::log::{self, Reader, SegmentFile};
use regatta_core::{
    Actor, Append, Clock as _, Draft, DurableLog, Event, Expect, Log as _, ReadMax, Seq, Stream, SystemClock,
};
use regatta_dispatcher::{Handle, Refusal, RefusalKind};
use regatta_federation::Gateways;
use regatta_http::Auth;
use regatta_http::premises::{PruneRequest, Pruned, PrunedSegment};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::applied;
use crate::config::{Config, RetainSettings};
use crate::failure::chain;
use crate::terminal::numbers::bytes;

/// What is asked before anything goes.
pub(super) struct Kept {
    data_dir: PathBuf,
    config: Config,
    log: DurableLog,
    auth: Auth,
    gateways: Gateways,
    handle: Handle,
    /// Where the relay to NATS stands, when there is one.
    relay: Option<watch::Receiver<RelayState>>,
    /// What the witnesses have heard, when there are any.
    witnesses: Option<watch::Receiver<Vec<WitnessState>>>,
}

/// Where the relay stands, and what the witnesses have heard, when there are any.
pub(super) type Told = (Option<watch::Receiver<RelayState>>, Option<watch::Receiver<Vec<WitnessState>>>);

impl Kept {
    pub(super) fn of(
        data_dir: &Path,
        config: &Config,
        log: &DurableLog,
        (auth, gateways): (&Auth, &Gateways),
        handle: &Handle,
        (relay, witnesses): Told,
    ) -> Self {
        let (data_dir, config, log) = (data_dir.to_owned(), config.clone(), log.clone());
        let (auth, gateways, handle) = (auth.clone(), gateways.clone(), handle.clone());
        Self { data_dir, config, log, auth, gateways, handle, relay, witnesses }
    }
}

/// Removes what need not be kept. Cheap to clone.
#[derive(Clone)]
pub(super) struct Retention {
    kept: Arc<Kept>,
    /// Held while it is looked for what goes, and removed.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What goes, and the backup that holds it.
struct Found {
    plan: Plan,
    archive: Option<PathBuf>,
}

impl Retention {
    pub(super) fn new(kept: Kept) -> Self {
        Self { kept: Arc::new(kept), turn: Arc::default() }
    }

    /// Removes on a schedule what the configuration does not want to be kept; nothing when it wants all.
    pub(super) async fn run(self, stop: CancellationToken) {
        let RetainSettings { age, bytes: most, every, .. } = self.kept.config.retain();
        if age.is_none() && most.is_none() {
            return;
        }
        let mut said = String::new();
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            match self.prune(PruneRequest::default(), Actor::regatta()).await {
                Ok(pruned) if !pruned.segments.is_empty() => {
                    let freed = bytes(pruned.freed_bytes);
                    tracing::info!(first = %pruned.first, freed, archive = pruned.archive, "old events were removed");
                    said = String::new();
                }
                // The same reason is told once.
                Ok(pruned) if pruned.reason != said => {
                    tracing::debug!(first = %pruned.first, reason = pruned.reason, "no old events can be removed");
                    said = pruned.reason;
                }
                Err(refusal) if refusal.message != said => {
                    tracing::warn!(reason = refusal.message, "old events cannot be removed; it is tried again");
                    said = refusal.message;
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Removes what goes, or says what would.
    pub(super) async fn prune(&self, request: PruneRequest, by: Actor) -> Result<Pruned, Refusal> {
        let _turn = self.turn.lock().await;
        let keep = self.keep(request)?;
        let kept = &self.kept;
        let files = blocking({
            let log = kept.log.clone();
            move || log.reader().segment_files().map_err(|error| unusable(&error))
        })
        .await?;
        let asked = plan(&files, keep, &[], &mut |_| Ok(()));
        let mut needs = self.needs(&asked).await?;
        let wanted = plan(&files, keep, &needs, &mut |_| Ok(()));
        if wanted.goes.is_empty() {
            return Ok(self.told(request, &Found { plan: wanted, archive: None }));
        }
        let found = self.archived(&files, keep, &needs, request.dry_run).await?;
        if request.dry_run || found.plan.goes.is_empty() {
            return Ok(self.told(request, &found));
        }
        // From here on no run that began before is taken up again; one that was meanwhile keeps its events.
        let released = kept.handle.release(found.plan.first(), false).await?;
        needs.extend(released.by.map(|run| needed_by_run(released.below, &run.to_string())));
        let plan = plan(&found.plan.goes_and_stays(), keep, &needs, &mut |file| was_found(&found.plan, file));
        let found = Found { plan, ..found };
        self.remove(&found, by).await?;
        Ok(self.told(request, &found))
    }

    fn keep(&self, request: PruneRequest) -> Result<Keep, Refusal> {
        let RetainSettings { age, bytes: most, .. } = self.kept.config.retain();
        let asked = request.older_than_ms.map(Duration::from_millis);
        let (age, most) = match (asked, request.keep_bytes) {
            (None, None) => (age, most),
            asked => asked,
        };
        if age.is_none() && most.is_none() {
            return Err(Refusal::new(RefusalKind::Invalid, "nothing says how much of the log is to be kept")
                .hint("say it: --older-than 90d or --keep-bytes 20GiB; or set log.retain_age or log.retain_bytes"));
        }
        let before = |age: Duration| u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let now_us = SystemClock.now_us();
        Ok(Keep { since_us: age.map(|age| now_us.saturating_sub(before(age))), now_us, bytes: most })
    }

    /// Everybody who may still need what would go.
    async fn needs(&self, asked: &Plan) -> Result<Vec<Need>, Refusal> {
        let kept = &self.kept;
        let snapshots = kept.log.snapshots();
        let views = blocking(move || snapshots.carries(regatta_projections::KIND).map_err(|error| unusable(&error)));
        let views = views.await?;
        let mut needs = vec![Need {
            done: views,
            reason: format!("the views are kept up to event {views} only; they are put down every 5 minutes"),
        }];
        if let Some(relay) = &kept.relay {
            let done = relay.borrow().acked;
            needs.push(Need { done, reason: format!("NATS has events up to {done} only: see regatta fleet") });
        }
        for witness in kept.witnesses.iter().flat_map(|told| told.borrow().clone()) {
            let WitnessState { name, heard: done, .. } = witness;
            needs.push(Need { done, reason: format!("{name} has heard up to event {done} only since the start") });
        }
        for (name, done) in kept.log.checkpoints().map_err(|error| unusable(&error))? {
            if name != regatta_core::bus::RELAY_CHECKPOINT {
                needs.push(Need { done, reason: format!("{name} has read up to event {done} only") });
            }
        }
        let released = kept.handle.release(asked.first(), true).await?;
        needs.extend(released.by.map(|run| needed_by_run(released.below, &run.to_string())));
        Ok(needs)
    }

    /// What goes because a backup holds it, read there now; a backup is made first when the configuration names a folder.
    async fn archived(
        &self,
        files: &[SegmentFile],
        keep: Keep,
        needs: &[Need],
        is_dry: bool,
    ) -> Result<Found, Refusal> {
        let (files, needs) = (files.to_vec(), needs.to_vec());
        let (data_dir, archive) = (self.kept.data_dir.clone(), self.kept.config.retain().archive);
        blocking(move || {
            if let Some(archive) = archive.as_deref().filter(|_| !is_dry) {
                archive_to(&data_dir, archive)?;
            }
            let mut found: Option<Found> = None;
            let folders = receipts(&data_dir).into_iter().rev().map(|receipt| receipt.folder);
            let mut folders: Vec<PathBuf> = archive.iter().cloned().chain(folders).collect();
            folders.dedup();
            for folder in folders {
                let would_hold = is_dry && archive.as_ref() == Some(&folder);
                let held = |file: &SegmentFile| {
                    if would_hold { Ok(()) } else { holds(&folder, file).map_err(Stays::Unarchived) }
                };
                let plan = plan(&files, keep, &needs, &mut { held });
                if found.as_ref().is_none_or(|best| plan.goes.len() > best.plan.goes.len()) {
                    found = Some(Found { plan, archive: Some(folder) });
                }
            }
            Ok(found.unwrap_or_else(|| {
                let unknown = "is in no backup that is known here: regatta log backup DIR, or set log.archive";
                Found {
                    plan: plan(&files, keep, &needs, &mut |_| Err(Stays::Unarchived(unknown.to_owned()))),
                    archive: None,
                }
            }))
        })
        .await
    }

    async fn remove(&self, found: &Found, by: Actor) -> Result<(), Refusal> {
        let (Some(archive), false) = (&found.archive, found.plan.goes.is_empty()) else { return Ok(()) };
        let (kept, first) = (&self.kept, found.plan.first());
        kept.auth.restate(Actor::regatta(), first).await?;
        kept.gateways.restate(&Actor::regatta(), first).await?;
        let applied = applied::record(&kept.log, kept.config.applied(), first).await;
        applied.map_err(|failure| Refusal::new(RefusalKind::ReadOnly, failure.message))?;
        let segment = |file: &SegmentFile| ReleasedSegment {
            first: file.first,
            last: file.last,
            bytes: file.bytes,
            blake3: file.sealed.map_or_else(String::new, |sealed| hex(&sealed.blake3)),
        };
        let released = Event::Log(LogEvent::Released(Released {
            first_kept: first,
            archive: archive.display().to_string(),
            segments: found.plan.goes.iter().map(segment).collect(),
        }));
        let draft = Draft::new(&released, &SystemClock, by, uuid::Uuid::nil());
        let events = vec![Draft { correlation: draft.id.0, ..draft }];
        let append = Append { stream: Stream::log(), expect: Expect::Any, events };
        log::append(&kept.log, append).await.map_err(|error| {
            Refusal::new(RefusalKind::ReadOnly, error.to_string()).hint("nothing was removed; try again later")
        })?;
        let log = kept.log.clone();
        blocking(move || log.remove_below(first).map(drop).map_err(|error| unusable(&error))).await
    }

    fn told(&self, request: PruneRequest, found: &Found) -> Pruned {
        let Found { plan, archive } = found;
        let segment = |file: &SegmentFile| PrunedSegment {
            first: file.first,
            last: file.last,
            bytes: file.bytes,
            last_at_us: file.sealed.map_or(0, |sealed| sealed.last_at_us),
        };
        Pruned {
            dry_run: request.dry_run,
            segments: plan.goes.iter().map(segment).collect(),
            freed_bytes: plan.freed_bytes(),
            archive: archive.as_ref().filter(|_| !plan.goes.is_empty()).map(|folder| folder.display().to_string()),
            first: plan.first(),
            head: self.kept.log.head(),
            kept_segments: plan.stays.len() as u64,
            kept_bytes: plan.stays.iter().map(|file| file.bytes).sum(),
            reason: plan.reason.to_string(),
        }
    }
}

/// A way to what was removed from a log: the latest backup that holds it all, and the log's first event as the log has it.
pub(super) fn archive_of(log: &DurableLog) -> impl FnOnce() -> Option<Reader> + use<> {
    let log = log.clone();
    move || {
        let one = ReadMax { events: 1, bytes: 0 };
        let first = log.first();
        let known = log.read(first, one).ok()?.pop()?;
        let holds_all = |folder: &PathBuf| {
            let older = Reader::open(folder).ok().filter(|older| older.first() == Seq(1) && older.head() >= first)?;
            let same = older.read(first, one).ok()?.first().is_some_and(|event| event.id == known.id);
            same.then_some(older)
        };
        let mut folders = receipts(log.dir()).into_iter().rev().map(|receipt| receipt.folder);
        let found = folders.find_map(|folder| Some((holds_all(&folder)?, folder)));
        let Some((older, folder)) = found else {
            tracing::warn!(%first, "no backup that holds what is before is there: runs that began before are not listed");
            return None;
        };
        tracing::info!(%first, backup = %folder.display(), "what is before is read in the backup, to list all runs");
        Some(older)
    }
}

/// A run under way needs its events from the first one on.
fn needed_by_run(below: Seq, run: &str) -> Need {
    let reason = format!("run {run} is under way and begins with event {below}");
    Need { done: Seq(below.0.saturating_sub(1)), reason }
}

/// What was found in the backup before was found there.
fn was_found(before: &Plan, file: &SegmentFile) -> Result<(), Stays> {
    if before.goes.contains(file) { Ok(()) } else { Err(before.reason.clone()) }
}

fn archive_to(data_dir: &Path, folder: &Path) -> Result<(), Refusal> {
    let copied = archive(data_dir, folder).map_err(|error| {
        Refusal::new(
            RefusalKind::Unusable,
            format!("the log was not backed up to {}: {}", folder.display(), chain(&error)),
        )
        .hint("nothing was removed")
    })?;
    for Damage { place, reason } in copied.damaged {
        tracing::error!(place, reason, "a file is damaged and was not backed up; restore it from another copy");
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    Refusal::new(RefusalKind::Unusable, chain(error)).hint("regatta log verify checks the log")
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
