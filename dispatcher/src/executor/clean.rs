//! Bringing what an attempt left into an archive, out of the way, back again, or out of the world. One attempt at a time;
//! every step may be taken again after a crash.

use std::path::Path;
use std::sync::Arc;

use regatta_core::blob::Keeper;
use regatta_core::cleaning::{Cleaning, Owners, Step};
use regatta_core::event::cleaning::{Archive, Archived, CleaningEvent, Failed, Forgotten, Removed, Returned};
use regatta_core::event::{AttemptEvent, Event, RunEvent};
use regatta_core::log::ReadMax;
use regatta_core::{AttemptId, Blobs, Envelope, Kind, Log, ReadError, Seq, Slot, Stream};

use super::{Fatal, Job, World, chain};
use crate::archive::Archives;
use crate::archive::file::{self, Left, Unpacked};
use crate::run::Command;

/// Takes a step.
pub(super) async fn clean(world: &World, job: &Job, slot: Slot, step: Step) -> Result<Command, Fatal> {
    let mut owners = world.archives.turn().await;
    world.failpoints.reach("clean-begun").await;
    let left = Cleaner {
        attempt: AttemptId { run: job.run, slot },
        cleaning: job.cleaning.clone(),
        log: Arc::clone(&world.log),
        blobs: world.blobs.clone(),
        archives: world.archives.clone(),
        keeper: Arc::clone(&job.kept),
    };
    let work = tokio::task::spawn_blocking(move || left.take(step, &mut owners));
    let fact = work.await.map_err(|error| Fatal(format!("failed to clean: {error}")))??;
    world.failpoints.reach(done(step)).await;
    Ok(Command::Cleaned(Box::new(fact)))
}

/// The place in the code behind a step.
fn done(step: Step) -> &'static str {
    match step {
        Step::Archive => "clean-archived",
        Step::Remove => "clean-removed",
        Step::Return => "clean-returned",
        Step::Forget => "clean-forgotten",
    }
}

/// What an attempt left, on the disk.
struct Cleaner {
    attempt: AttemptId,
    cleaning: Cleaning,
    log: Arc<dyn Log>,
    blobs: Blobs,
    archives: Archives,
    keeper: Arc<Keeper>,
}

impl Cleaner {
    fn take(&self, step: Step, owners: &mut Owners) -> Result<CleaningEvent, Fatal> {
        let left = left(&*self.log, self.attempt)?;
        let tried = match step {
            Step::Archive => self.archive(&left).map(CleaningEvent::Archived),
            Step::Remove => return self.remove(&left, owners).map(CleaningEvent::Removed),
            Step::Return => self.put_back(&left).map(CleaningEvent::Returned),
            Step::Forget => self.forget().map(CleaningEvent::Forgotten),
        };
        Ok(tried.unwrap_or_else(|reason| CleaningEvent::Failed(Failed { attempt: self.attempt, reason })))
    }

    fn archive(&self, left: &Left) -> Result<Archived, String> {
        if left.is_empty() {
            return Err("it left nothing".to_owned());
        }
        let path = Archives::path(self.attempt, self.cleaning.to.as_deref());
        let place = self.archives.place(&path);
        let takes = left.bytes();
        if self.cleaning.to.is_none() {
            self.archives.make_folder().map_err(|error| format!("failed to make the folder of archives: {error}"))?;
        }
        let is_beside_log = self.archives.is_beside_log(place.parent().unwrap_or(&place));
        // The removal that follows waits for a fact, and that for room.
        if is_beside_log && self.log.room().is_some_and(|room| room < takes) {
            return Err(format!(
                "its archive may take {} MiB, and the log needs what is free on its disk: name a folder on another \
                 disk, with --to",
                takes.div_ceil(1 << 20)
            ));
        }
        let made = file::make(&place, self.attempt, left, &self.blobs).map_err(|error| chain(&error))?;
        let archive = Archive { path, bytes: made.bytes, blake3: made.blake3 };
        Ok(Archived { attempt: self.attempt, archive, blobs: left.count(), blob_bytes: takes })
    }

    /// Removes what nobody else needs. What cannot be removed stays, and takes room.
    fn remove(&self, left: &Left, owners: &mut Owners) -> Result<Removed, Fatal> {
        // Before it is looked who needs what: what is kept from now on stays.
        let mut sweep = self.blobs.sweep();
        catch_up(owners, &*self.log)?;
        let unseen_us = unseen_us(&*self.log)?;
        let mut removed = Removed { attempt: self.attempt, blobs: 0, blob_bytes: 0, kept: 0 };
        for (hash, bytes) in left.blobs() {
            let is_needed = owners.need(hash) || unseen_us.is_some_and(|since| self.is_older(hash, since));
            let is_gone = !is_needed
                && sweep.remove(hash).unwrap_or_else(|error| {
                    tracing::warn!(attempt = %self.attempt, error = chain(&error), "blob could not be removed");
                    false
                });
            if is_gone {
                removed.blobs += 1;
                removed.blob_bytes += bytes;
            } else {
                removed.kept += 1;
            }
        }
        if let Err(error) = sweep.finish() {
            // Then it may come back with the power.
            tracing::warn!(attempt = %self.attempt, error = chain(&error), "removal is not on disk yet");
        }
        Ok(removed)
    }

    /// Whether a blob was kept before that time.
    fn is_older(&self, hash: &str, since_us: u64) -> bool {
        self.blobs.kept_at_us(hash).is_none_or(|kept_us| kept_us < since_us)
    }

    fn put_back(&self, left: &Left) -> Result<Returned, String> {
        let Some(archive) = &self.cleaning.archive else { return Err("it has no archive".to_owned()) };
        let place = self.archives.place(&archive.path);
        let told = |error: file::Error| chain(&error);
        let missing = left.blobs().filter(|(hash, _)| self.blobs.kept_at_us(hash).is_none());
        let takes: u64 = missing.map(|(_, bytes)| bytes).sum();
        // What follows waits for a fact, and that for room.
        if let Some(room) = self.log.room().filter(|room| *room < takes) {
            return Err(format!(
                "it takes {} MiB, and the log needs what is free on its disk: free at least {} MiB first",
                takes.div_ceil(1 << 20),
                (takes - room).div_ceil(1 << 20)
            ));
        }
        match file::hash(&place).map_err(told)? {
            Some(hash) if hash == archive.blake3 => {
                let put = |blob: Unpacked<'_>| Ok(self.keeper.put_back(blob.content, blob.kept_at_us)?);
                file::unpack(&place, left, put).map_err(told)?;
            }
            Some(_) => return Err(format!("{} is not the archive that was made", place.display())),
            // Removed before a crash, or by somebody: what was put back says which.
            None => {}
        }
        for (hash, _) in left.blobs() {
            if let Err(error) = self.blobs.get(hash) {
                return Err(format!("the archive {} is not there, and {}", place.display(), chain(&error)));
            }
        }
        self.drop_archive(&place);
        Ok(Returned { attempt: self.attempt, blobs: left.count(), blob_bytes: left.bytes() })
    }

    /// What is put back needs no archive; one that cannot be removed only takes room.
    fn drop_archive(&self, place: &Path) {
        if let Err(error) = file::remove(place) {
            tracing::warn!(attempt = %self.attempt, error = chain(&error), "archive could not be removed");
        }
    }

    fn forget(&self) -> Result<Forgotten, String> {
        if let Some(archive) = &self.cleaning.archive {
            file::remove(&self.archives.place(&archive.path)).map_err(|error| chain(&error))?;
        }
        Ok(Forgotten { attempt: self.attempt })
    }
}

/// Everything an attempt left, under all its leases.
fn left(log: &dyn Log, attempt: AttemptId) -> Result<Left, Fatal> {
    let mut left = Left::default();
    each(log, &Stream::attempt(attempt), |event| {
        if let Event::Attempt(AttemptEvent::ArtifactsCollected(collected)) = event {
            collected.artifacts.into_iter().for_each(|artifact| left.add(&artifact.blob, artifact.name));
        } else {
            event.blobs().into_iter().for_each(|(blob, _)| left.add(blob, "patch".to_owned()));
        }
    })?;
    each(log, &Stream::run(attempt.run), |event| {
        if let Event::Run(RunEvent::SynthesisRequested(synthesis)) = event
            && synthesis.slot == attempt.slot
        {
            left.add(&synthesis.patch, "put together".to_owned());
        }
    })?;
    Ok(left)
}

fn each(log: &dyn Log, stream: &Stream, mut take: impl FnMut(Event)) -> Result<(), Fatal> {
    let mut next = 1;
    loop {
        let Some(batch) = unless_removed(log.read_stream(stream, next, ReadMax::default()))? else { continue };
        let Some(last) = batch.last() else { return Ok(()) };
        next = last.stream_seq + 1;
        for envelope in &batch {
            take(envelope.event().map_err(|error| Fatal(format!("event {}: {error}", envelope.seq)))?);
        }
    }
}

/// Takes in what the log has of who needs what, up to its end. Its beginning may be removed meanwhile; then it goes on
/// where the log begins now.
fn catch_up(owners: &mut Owners, log: &dyn Log) -> Result<(), Fatal> {
    loop {
        let from = owners.seq().next().max(log.first());
        let read = log.read_skipping(from, ReadMax::default(), &Kind::RAW);
        let Some(batch) = unless_removed(read)? else { continue };
        if batch.is_empty() {
            return Ok(());
        }
        batch.iter().for_each(|envelope| owners.fold(envelope));
    }
}

/// When the log begins, in microseconds since the Unix epoch, if its first events were removed: who needed what before
/// cannot be seen any more. Nothing while it is whole.
fn unseen_us(log: &dyn Log) -> Result<Option<u64>, Fatal> {
    loop {
        let first = log.first();
        if first <= Seq(1) {
            return Ok(None);
        }
        if let Some(events) = unless_removed(log.read(first, ReadMax { events: 1, bytes: 0 }))? {
            return Ok(events.first().map(|event| event.at_us));
        }
    }
}

/// What was read; nothing when it was removed between two looks.
fn unless_removed(read: Result<Vec<Envelope>, ReadError>) -> Result<Option<Vec<Envelope>>, Fatal> {
    match read {
        Ok(events) => Ok(Some(events)),
        Err(ReadError::Removed { .. }) => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &ReadError) -> Fatal {
    Fatal(format!("failed to read the log: {error}"))
}
