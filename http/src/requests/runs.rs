//! What people ask of runs and attempts, and what they hear.

use regatta_core::event::attempt::DiffStat;
use regatta_core::event::run::TakenHunk;
use regatta_core::{RunId, Slot};
use regatta_dispatcher::compose::{Choice, Conflict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a run asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAccepted {
    /// Its id.
    pub run: RunId,
}

/// Makes an attempt the winner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PickRequest {
    /// Which.
    #[serde(alias = "slot")]
    pub attempt: Slot,
    /// One line for people.
    #[serde(default)]
    pub reason: String,
    /// Whether it was chosen without seeing who did what; recorded with the verdict, and the answer tells the names.
    #[serde(default)]
    pub blind: bool,
}

/// Who did what, once the vote is cast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revealed {
    /// Who was chosen.
    pub winner: Slot,
    /// Everybody, in slot order.
    pub attempts: Vec<RevealedAttempt>,
}

/// One attempt's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevealedAttempt {
    /// Which.
    pub slot: Slot,
    /// Name of the agent.
    pub agent: String,
    /// For `command`: the shell text that was run.
    pub command: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
}

/// Puts an attempt aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardRequest {
    /// One line for people.
    #[serde(default)]
    pub reason: String,
}

/// Puts hunks of several attempts together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesizeRequest {
    /// What is taken.
    pub hunks: Vec<Choice>,
    /// One line for people.
    #[serde(default)]
    pub reason: String,
}

/// What came of a choice of hunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SynthesisAnswer {
    /// The further attempt; nothing when it was only tried.
    pub slot: Option<Slot>,
    /// What it is made of.
    pub hunks: Vec<TakenHunk>,
    /// How much it changes.
    pub stat: DiffStat,
    /// What does not go together, when it was only tried.
    pub conflicts: Vec<Conflict>,
}

/// Stops a run, or one attempt of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Which; the whole run when absent.
    #[serde(default)]
    pub attempt: Option<Slot>,
    /// One line for people.
    #[serde(default)]
    pub reason: String,
}
