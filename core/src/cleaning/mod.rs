//! What becomes of what an attempt left, its patch and its artifacts: where the bytes are, and whether they may go. Pure.
//! Who decides, who removes and who looks fold the same facts with this.

mod owners;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AttemptId;
use crate::event::CleaningEvent;
use crate::event::cleaning::{Archive, Wish};

pub use owners::Owners;

/// Folder of the archives in a data directory, when no other one was asked for.
pub const FOLDER: &str = "cleaned";

/// Where what an attempt left is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Where it was put.
    #[default]
    Here,
    /// Here; an archive of it is being made.
    Archiving,
    /// In the archive; here it is being removed.
    Removing,
    /// In the archive alone.
    Archived,
    /// In the archive; it is being put back.
    Returning,
    /// In the archive, which is being removed.
    Forgetting,
    /// Nowhere.
    Forgotten,
}

impl Place {
    /// Whether all of it can be read.
    #[must_use]
    pub fn is_here(self) -> bool {
        matches!(self, Self::Here | Self::Archiving)
    }

    /// Whether its blobs must not be removed.
    #[must_use]
    pub fn needs_blobs(self) -> bool {
        self.is_here() || self == Self::Returning
    }

    /// What is being done to it, when something is.
    #[must_use]
    pub fn step(self) -> Option<Step> {
        match self {
            Self::Archiving => Some(Step::Archive),
            Self::Removing => Some(Step::Remove),
            Self::Returning => Some(Step::Return),
            Self::Forgetting => Some(Step::Forget),
            Self::Here | Self::Archived | Self::Forgotten => None,
        }
    }

    /// Whether something is being done to it.
    #[must_use]
    pub fn is_moving(self) -> bool {
        self.step().is_some()
    }
}

/// What leads from one place to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Make an archive of it.
    Archive,
    /// Remove what is in the archive from where it was put.
    Remove,
    /// Put it back from the archive.
    Return,
    /// Remove the archive.
    Forget,
}

/// What was heard of the cleaning of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cleaning {
    /// Where it stands.
    pub place: Place,
    /// Where the archive is to be made, as it was asked for.
    pub to: Option<String>,
    /// The archive, once it is made.
    pub archive: Option<Archive>,
}

impl Cleaning {
    /// Takes in a fact about it. Facts are folded, never questioned.
    pub fn evolve(&mut self, event: &CleaningEvent) {
        match event {
            CleaningEvent::Requested(requested) => match &requested.wish {
                Wish::Clean { to } => *self = Self { place: Place::Archiving, to: to.clone(), archive: None },
                Wish::Return => self.place = Place::Returning,
                Wish::Forget => self.place = Place::Forgetting,
            },
            CleaningEvent::Archived(archived) => {
                self.place = Place::Removing;
                self.archive = Some(archived.archive.clone());
            }
            CleaningEvent::Removed(_) => self.place = Place::Archived,
            CleaningEvent::Returned(_) => *self = Self::default(),
            CleaningEvent::Forgotten(_) => self.place = Place::Forgotten,
            CleaningEvent::Failed(_) => {
                self.place = if self.archive.is_some() { Place::Archived } else { Place::Here };
            }
        }
    }
}

/// Why what an attempt left is not to be had now, for people, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// One lower-case sentence without a full stop.
    pub message: String,
    /// What to do about it; nothing when nothing can be done.
    pub hint: Option<String>,
}

impl Cleaning {
    /// Why what that attempt left is not to be had; nothing while it lies where it was put.
    #[must_use]
    pub fn missing(&self, attempt: AttemptId) -> Option<Missing> {
        let archive = self.archive.as_ref().map_or("", |archive| &archive.path);
        let (message, hint) = match self.place {
            Place::Here => return None,
            Place::Archiving => (
                format!("what {attempt} left is being moved into an archive"),
                Some(format!("ask again in a moment; put it back then: regatta clean --restore {attempt}")),
            ),
            Place::Removing | Place::Archived => (
                format!("what {attempt} left was cleaned: it is in the archive {archive}"),
                Some(format!("put it back: regatta clean --restore {attempt}")),
            ),
            Place::Returning => {
                (format!("what {attempt} left is being put back"), Some("ask again in a moment".to_owned()))
            }
            Place::Forgetting | Place::Forgotten => {
                (format!("what {attempt} left was cleaned, and its archive was removed for good"), None)
            }
        };
        Some(Missing { message, hint })
    }
}

/// How far the latest try to deliver an attempt's work came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// There was none, or it failed.
    #[default]
    None,
    /// It needs the patch.
    UnderWay,
    /// The target has it.
    Done,
}

/// What has to be known of an attempt to say whether what it left may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether nothing more happens to its run unless a person acts.
    pub run_is_over: bool,
    /// Whether its run's first events were removed from the log, so that nothing can be done with it.
    pub run_is_archived: bool,
    /// Whether the verdict in force names it.
    pub is_winner: bool,
    /// Whether its work was brought home.
    pub delivery: Delivery,
    /// Whether it left anything.
    pub has_left: bool,
    /// Where that is.
    pub place: Place,
    /// When it was over, in microseconds since the Unix epoch.
    pub ended_at_us: Option<u64>,
}

/// Why what an attempt left stays, or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// Something more happens to its run.
    RunUnderWay,
    /// Nothing can be done with its run.
    RunArchived,
    /// It won.
    Winner,
    /// It is being delivered.
    BeingDelivered,
    /// Its branch is made of it.
    Delivered,
    /// It ended too late.
    Young,
    /// There is nothing.
    Nothing,
    /// Something is being done to it.
    Moving,
    /// It went already.
    Archived,
    /// It is gone for good.
    Forgotten,
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunUnderWay => "its run is under way",
            Self::RunArchived => "its run is archived: its first events were removed from the log",
            Self::Winner => "it won",
            Self::BeingDelivered => "it is being delivered",
            Self::Delivered => "it was delivered",
            Self::Young => "it ended too short a time ago",
            Self::Nothing => "it left nothing",
            Self::Moving => "it is being worked on",
            Self::Archived => "it was cleaned already",
            Self::Forgotten => "it was cleaned, and its archive was removed for good",
        })
    }
}

/// Why what an attempt left may not go; nothing when it may. With `since_us` (microseconds since the Unix epoch), what
/// ended at or after it stays.
#[must_use]
pub fn stays(standing: &Standing, since_us: Option<u64>) -> Option<Stays> {
    let Standing { run_is_over, run_is_archived, is_winner, delivery, has_left, place, ended_at_us } = *standing;
    let is_young = || since_us.is_some_and(|since| ended_at_us.is_none_or(|ended| ended >= since));
    let reasons = [
        (place == Place::Forgotten, Stays::Forgotten),
        (place == Place::Archived, Stays::Archived),
        (place.is_moving(), Stays::Moving),
        (!has_left, Stays::Nothing),
        (!run_is_over, Stays::RunUnderWay),
        (is_winner, Stays::Winner),
        (delivery == Delivery::Done, Stays::Delivered),
        (delivery == Delivery::UnderWay, Stays::BeingDelivered),
        (run_is_archived, Stays::RunArchived),
        (is_young(), Stays::Young),
    ];
    reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cleaning::{Archived, Failed, Forgotten, Removed, Requested, Returned};

    /// A loser of a run that is over, which ended at 100.
    fn loser() -> Standing {
        Standing { run_is_over: true, has_left: true, ended_at_us: Some(100), ..Standing::default() }
    }

    fn check(standing: Standing, since_us: Option<u64>, then: &str) {
        let said = stays(&standing, since_us).map_or_else(|| "it may go".to_owned(), |reason| reason.to_string());
        assert_eq!(said, then, "{standing:?} since {since_us:?}");
    }

    #[test]
    fn what_nobody_picked_may_go_once_its_run_is_over() {
        check(loser(), None, "it may go");
        check(Standing { run_is_over: false, ..loser() }, None, "its run is under way");
        check(Standing { is_winner: true, ..loser() }, None, "it won");
        check(Standing { delivery: Delivery::Done, ..loser() }, None, "it was delivered");
        check(Standing { delivery: Delivery::UnderWay, ..loser() }, None, "it is being delivered");
        check(Standing { has_left: false, ..loser() }, None, "it left nothing");
        check(
            Standing { run_is_archived: true, ..loser() },
            None,
            "its run is archived: its first events were removed from the log",
        );
    }

    #[test]
    fn what_ended_too_late_stays() {
        check(loser(), Some(101), "it may go");
        check(loser(), Some(100), "it ended too short a time ago");
        check(Standing { ended_at_us: None, ..loser() }, Some(u64::MAX), "it ended too short a time ago");
        // The reason that lasts is told first.
        check(Standing { is_winner: true, ..loser() }, Some(100), "it won");
    }

    #[test]
    fn what_is_on_its_way_is_left_alone() {
        for (place, then) in [
            (Place::Archiving, "it is being worked on"),
            (Place::Removing, "it is being worked on"),
            (Place::Returning, "it is being worked on"),
            (Place::Forgetting, "it is being worked on"),
            (Place::Archived, "it was cleaned already"),
            (Place::Forgotten, "it was cleaned, and its archive was removed for good"),
        ] {
            check(Standing { place, ..loser() }, None, then);
        }
    }

    fn archive() -> Archive {
        Archive { path: "cleaned/7q2k9x0m.b.tar.zst".to_owned(), bytes: 10, blake3: "ab".repeat(32) }
    }

    /// What happens, as it is told in one word.
    fn event(word: &str) -> CleaningEvent {
        let attempt = "7q2k9x0m.b".parse().expect("attempt");
        let asked = |wish| CleaningEvent::Requested(Requested { attempt, wish });
        match word {
            "clean" => asked(Wish::Clean { to: None }),
            "return" => asked(Wish::Return),
            "forget" => asked(Wish::Forget),
            "archived" => CleaningEvent::Archived(Archived { attempt, archive: archive(), blobs: 2, blob_bytes: 30 }),
            "removed" => CleaningEvent::Removed(Removed { attempt, blobs: 2, blob_bytes: 30, kept: 0 }),
            "returned" => CleaningEvent::Returned(Returned { attempt, blobs: 2, blob_bytes: 30 }),
            "forgotten" => CleaningEvent::Forgotten(Forgotten { attempt }),
            "failed" => CleaningEvent::Failed(Failed { attempt, reason: "the disk is full".to_owned() }),
            other => panic!("{other} is no fact"),
        }
    }

    #[test]
    fn facts_lead_from_place_to_place() {
        for (words, place, is_archived) in [
            ("", Place::Here, false),
            ("clean", Place::Archiving, false),
            ("clean failed", Place::Here, false),
            ("clean archived", Place::Removing, true),
            ("clean archived removed", Place::Archived, true),
            ("clean archived removed return", Place::Returning, true),
            ("clean archived removed return failed", Place::Archived, true),
            ("clean archived removed return returned", Place::Here, false),
            ("clean archived removed return returned clean", Place::Archiving, false),
            ("clean archived removed forget", Place::Forgetting, true),
            ("clean archived removed forget failed", Place::Archived, true),
            ("clean archived removed forget forgotten", Place::Forgotten, true),
        ] {
            let mut cleaning = Cleaning::default();
            words.split_whitespace().for_each(|word| cleaning.evolve(&event(word)));
            assert_eq!((cleaning.place, cleaning.archive.is_some()), (place, is_archived), "{words}");
        }
    }
}
