//! What attempts left is archived, removed, put back and forgotten, with crashes in between, until everything that was not
//! forgotten is back where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regatta_core::cleaning::{Cleaning, Place};
use regatta_core::event::attempt::{AttemptEvent, Collected};
use regatta_core::event::cleaning::Wish;
use regatta_core::{Actor, AttemptId, Event};
use regatta_dispatcher::Handle;

use super::world::PATCH;
use super::{Simulation, check_end, check_history};

/// In one seed of so many, what attempts left is cleaned up at the end: archives are written to a real disk.
pub(super) const TIDIED: u64 = 5;

/// What is done with what attempts left, once nothing else happens any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tidying {
    Not,
    /// So many wishes, whatever they come to.
    Wishes(u64),
    /// Everything that is in an archive is put back.
    PuttingBack,
}

impl Simulation {
    /// People clean up, and change their minds.
    pub(super) async fn tidy(&mut self, handle: &Handle) {
        let mut attempts: Vec<(AttemptId, Place)> = self.cleanings().into_iter().collect();
        let wish = match self.tidying {
            Tidying::PuttingBack => {
                attempts.retain(|(_, place)| *place == Place::Archived);
                Wish::Return
            }
            Tidying::Wishes(left) if left > 0 => {
                self.tidying = Tidying::Wishes(left - 1);
                match self.random.below(5) {
                    0 => Wish::Forget,
                    1 | 2 => Wish::Return,
                    _ => Wish::Clean { to: None },
                }
            }
            Tidying::Wishes(_) | Tidying::Not => return,
        };
        let count = u64::try_from(attempts.len()).expect("few");
        if count > 0 {
            let (attempt, _) = attempts[usize::try_from(self.random.below(count)).expect("small")];
            let asked = handle.clean(attempt.run, attempt.slot, wish, Actor::user("tidier"));
            tokio::time::timeout(Duration::from_millis(50), asked).await.map(Result::ok).ok();
        }
    }

    /// Where what each attempt left is.
    pub(super) fn cleanings(&self) -> BTreeMap<AttemptId, Place> {
        let mut cleanings: BTreeMap<AttemptId, Cleaning> = BTreeMap::new();
        for (stream, event) in self.events() {
            if let Event::Cleaning(event) = event {
                cleanings.entry(event.attempt()).or_default().evolve(&event);
            } else if let Some(attempt) = stream.strip_prefix("attempt/") {
                cleanings.entry(attempt.parse().expect("attempt")).or_default();
            }
        }
        cleanings.into_iter().map(|(attempt, cleaning)| (attempt, cleaning.place)).collect()
    }

    pub(super) fn is_tidy(&self) -> bool {
        let places: Vec<Place> = self.cleanings().into_values().collect();
        let is_done = match self.tidying {
            Tidying::Not | Tidying::Wishes(0) => true,
            Tidying::Wishes(_) => false,
            Tidying::PuttingBack => !places.contains(&Place::Archived),
        };
        is_done && !places.into_iter().any(Place::is_moving)
    }
}

/// What is where it was put is all there: a blob is kept before the event that names it, and nobody removes what somebody
/// needs.
pub(super) fn check_left(simulation: &Simulation) {
    let places = simulation.cleanings();
    for (stream, event) in simulation.events() {
        let Some(attempt) = stream.strip_prefix("attempt/").map(|id| id.parse().expect("attempt")) else { continue };
        if !places.get(&attempt).is_some_and(|place| place.is_here()) {
            continue;
        }
        let kept = |hash: &str| simulation.blobs.get(hash).unwrap_or_else(|error| panic!("{attempt}: {error}"));
        if let Event::Attempt(AttemptEvent::Collected(Collected { patch: Some(patch), .. })) = event {
            assert_eq!(kept(&patch.hash), PATCH, "{attempt}");
        } else if let Event::Attempt(AttemptEvent::ArtifactsCollected(collected)) = event {
            for artifact in collected.artifacts {
                assert_eq!(kept(&artifact.blob.hash), format!("left by {}", collected.phase).into_bytes());
            }
        }
    }
}

/// What attempts left is moved about, with crashes; then everything that is in an archive comes back, byte for byte.
pub(super) fn tidy_up(simulation: &mut Simulation) {
    simulation.tidying = Tidying::Wishes(4 + simulation.random.below(12));
    for _ in 0..simulation.random.below(5) {
        let crash_after = i64::try_from(simulation.random.below(14)).expect("small");
        simulation.live(crash_after);
        simulation.check_recall();
        check_history(simulation);
    }
    while !simulation.live(i64::MAX) {}
    check_history(simulation);
    check_archives(simulation);
    simulation.tidying = Tidying::PuttingBack;
    while !simulation.live(i64::MAX) {}
    check_history(simulation);
    check_archives(simulation);
    simulation.check_recall();
    check_end(simulation);
}

/// There is an archive of everything that is in one, and nothing beside them.
fn check_archives(simulation: &Simulation) {
    let mut archives: BTreeMap<AttemptId, Cleaning> = BTreeMap::new();
    for (_, event) in simulation.events() {
        if let Event::Cleaning(event) = event {
            archives.entry(event.attempt()).or_default().evolve(&event);
        }
    }
    archives.retain(|_, cleaning| cleaning.place == Place::Archived);
    let expected: BTreeSet<String> =
        archives.into_values().map(|cleaning| cleaning.archive.expect("archived").path).collect();
    let folder = simulation.folder.path().join("cleaned");
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let found: BTreeSet<String> =
        names.map(|entry| format!("cleaned/{}", entry.file_name().to_string_lossy())).collect();
    assert_eq!(found, expected);
}
