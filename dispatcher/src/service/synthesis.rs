//! Hunks of several attempts become a further attempt: what was chosen is put together and kept before the run is
//! asked, so that the event names a patch that is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_core::blob::Keeper;
use regatta_core::event::attempt::DiffStat;
use regatta_core::event::run::TakenHunk;
use regatta_core::{BlobRef, Blobs, RunId, Slot};

use super::restore::no_run;
use super::{Dispatcher, Handle, Input, Reply};
use crate::compose::{self, Choice, Composed, Conflict, NotComposed};
use crate::executor::{Fatal, chain};
use crate::race::Wish;
use crate::run::{Command, Synthesis};
use crate::{Asked, Refusal, RefusalKind};

/// Most bytes of patches looked at for one synthesis; all of them are held in memory at once.
const PATCHES_BYTES_MAX: u64 = 128 << 20;

/// What the attempts of a run left behind, as the dispatcher knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Works {
    repository: String,
    base_commit: String,
    patches: BTreeMap<Slot, BlobRef>,
}

/// What came of a choice of hunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthesized {
    /// The further attempt; nothing when it was only tried.
    pub slot: Option<Slot>,
    /// What it is made of.
    pub hunks: Vec<TakenHunk>,
    /// How much it changes.
    pub stat: DiffStat,
    /// What does not go together, when it was only tried.
    pub conflicts: Vec<Conflict>,
}

/// A choice of hunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthesisRequest {
    /// What is taken.
    pub choices: Vec<Choice>,
    /// One line for people.
    pub reason: String,
    /// Whether it is only to be tried.
    pub dry_run: bool,
}

impl Handle {
    /// Puts hunks of several attempts together as a further attempt of the run; asked for the same again, gives the same
    /// attempt.
    ///
    /// # Errors
    /// When the choice does not go together, or is refused.
    pub async fn synthesize(
        &self,
        run: RunId,
        request: SynthesisRequest,
        asked: impl Into<Asked>,
    ) -> Result<Synthesized, NotComposed> {
        let asked = asked.into();
        let SynthesisRequest { choices, reason, dry_run } = request;
        let reason =
            if reason.trim().is_empty() { "put together by hand".to_owned() } else { super::handle::bounded(reason)? };
        let slots = choices.iter().map(|choice| choice.slot).collect();
        let works = self.ask(|reply| Input::Works { run, slots, reply }).await?;
        let composed = match self.compose(&works, choices).await {
            Err(NotComposed::Conflicts(conflicts)) if dry_run => {
                return Ok(Synthesized { slot: None, hunks: vec![], stat: DiffStat::default(), conflicts });
            }
            other => other?,
        };
        let put = self.world.source_control.compose(&works.repository, &works.base_commit, composed.patch).await;
        let put = put.map_err(|unusable| Refusal::new(RefusalKind::Repository, unusable.to_string()))?;
        if put.patch.is_empty() {
            return Err(Refusal::new(RefusalKind::Invalid, "what is chosen changes nothing").into());
        }
        let (hunks, stat) = (composed.hunks, put.stat);
        if dry_run {
            return Ok(Synthesized { slot: None, hunks, stat, conflicts: vec![] });
        }
        let kept = Arc::new(self.world.blobs.keeper());
        let patch = keep(Arc::clone(&kept), put.patch).await?;
        let synthesis = Box::new(Synthesis { patch, hunks: hunks.clone(), reason });
        let slot = self.ask(|reply| Input::Synthesize { run, synthesis, kept, asked, reply }).await?;
        Ok(Synthesized { slot: Some(slot), hunks, stat, conflicts: vec![] })
    }

    /// Puts an attempt aside, or takes that back.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn discard(
        &self,
        run: RunId,
        slot: Slot,
        reason: Option<String>,
        asked: impl Into<Asked>,
    ) -> Result<(), Refusal> {
        let asked = asked.into();
        let command = match reason {
            Some(reason) => Command::Discard(slot, super::handle::bounded(reason)?),
            None => Command::UndoDiscard(slot),
        };
        self.ask(|reply| Input::Command { run, command, asked, reply }).await
    }

    async fn compose(&self, works: &Works, choices: Vec<Choice>) -> Result<Composed, NotComposed> {
        let wanted = works.patches.iter().filter(|(slot, _)| choices.iter().any(|choice| choice.slot == **slot));
        let wanted: BTreeMap<Slot, BlobRef> = wanted.map(|(slot, patch)| (*slot, patch.clone())).collect();
        if wanted.values().map(|patch| patch.bytes).sum::<u64>() > PATCHES_BYTES_MAX {
            let message = format!("these attempts' patches have more than {} MiB together", PATCHES_BYTES_MAX >> 20);
            return Err(Refusal::new(RefusalKind::Invalid, message).hint("choose from fewer attempts").into());
        }
        let blobs = self.world.blobs.clone();
        let work = tokio::task::spawn_blocking(move || compose_kept(&blobs, &wanted, &choices));
        work.await.map_err(|error| Refusal::new(RefusalKind::Repository, error.to_string()))?
    }
}

async fn keep(keeper: Arc<Keeper>, patch: Vec<u8>) -> Result<BlobRef, Refusal> {
    let failed = |reason: String| Refusal::new(RefusalKind::ReadOnly, format!("failed to keep the patch: {reason}"));
    let kept = tokio::task::spawn_blocking(move || keeper.put(&patch)).await;
    kept.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(chain(&error)))
}

fn compose_kept(blobs: &Blobs, wanted: &BTreeMap<Slot, BlobRef>, choices: &[Choice]) -> Result<Composed, NotComposed> {
    let unreadable = |slot: &Slot, reason: String| {
        Refusal::new(RefusalKind::Repository, format!("the patch of attempt {slot} cannot be read: {reason}"))
    };
    let mut patches: BTreeMap<Slot, Vec<u8>> = BTreeMap::new();
    for (slot, patch) in wanted {
        patches.insert(*slot, blobs.get(&patch.hash).map_err(|error| unreadable(slot, chain(&error)))?);
    }
    let mut files = BTreeMap::new();
    for (slot, patch) in &patches {
        files.insert(*slot, compose::read(patch).map_err(|error| unreadable(slot, error.to_string()))?);
    }
    compose::compose(&files, choices)
}

impl Dispatcher {
    /// What the attempts of a run left behind; refused when one of those that are meant was cleaned.
    pub(super) fn works(&mut self, run: RunId, slots: &[Slot], reply: Reply<Works>) -> Result<(), Fatal> {
        let works = self.find(run)?.and_then(|held| {
            slots.iter().try_for_each(|slot| held.race.run.is_here(*slot))?;
            Ok(Works {
                repository: held.race.run.facts.repository.clone(),
                base_commit: held.race.run.facts.base_commit.clone(),
                patches: held
                    .race
                    .attempts
                    .iter()
                    .filter(|(_, attempt)| attempt.outcome().is_some())
                    .filter_map(|(slot, attempt)| Some((*slot, attempt.patch.clone()?)))
                    .collect(),
            })
        });
        // Whoever asked may be gone.
        reply.send(works).ok();
        self.advance(run)
    }

    /// Adds the further attempt; the answer is its slot, or that of the one that is there already.
    pub(super) fn synthesize(
        &mut self,
        run: RunId,
        synthesis: Synthesis,
        asked: Asked,
        reply: Reply<Slot>,
    ) -> Result<(), Fatal> {
        let held = match self.find(run)? {
            Ok(held) => held,
            Err(refusal) => {
                reply.send(Err(refusal)).ok();
                return Ok(());
            }
        };
        // What was asked for before is there: the same choice is the same attempt.
        if let Some(Err(refusal)) = asked.key.as_ref().map(|key| held.is_done(key)) {
            reply.send(Err(refusal)).ok();
            return self.advance(run);
        }
        if let Err(refusal) = self.check_room(false) {
            reply.send(Err(refusal)).ok();
            return self.advance(run);
        }
        let (patch, hunks) = (synthesis.patch.clone(), synthesis.hunks.clone());
        let decided = self.decide(run, Wish::Run(Command::Synthesize(Box::new(synthesis))), asked, None);
        let slot = decided.and_then(|()| {
            let slot = self.races.get(&run).and_then(|held| held.race.run.twin(&patch, &hunks));
            slot.ok_or_else(|| no_run(run))
        });
        self.answer_when_durable(reply, false, slot);
        self.advance(run)
    }
}
