//! Bodies of requests and small answers, shared with clients.

use regatta_core::bus::RelayState;
use regatta_core::event::approval::Decision;
use regatta_core::event::attempt::{DiffStat, Exit};
use regatta_core::event::rule::{RuleAnswer, RuleScope};
use regatta_core::event::run::{Entry, TakenHunk};
use regatta_core::event::secret::Scope;
use regatta_core::event::user::Role;
use regatta_core::log::verify::Damage;
use regatta_core::log::witness::WitnessState;
use regatta_core::vault::{SecretString, Standing};
use regatta_core::{ApprovalId, AttemptId, GatewayName, RunId, SandboxKey, Seq, Slot};
use regatta_dispatcher::compose::{Choice, Conflict};
use regatta_dispatcher::sandboxes::{Limit, SandboxRow, Unanswered};
use regatta_projections::attempts::UsageView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EventBody;
use crate::auth::Via;

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

/// Makes a copy of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// It is removed after this long, in milliseconds; an hour when absent, a day at most.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// A copy just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForkMade {
    /// Its deterministic name.
    pub key: SandboxKey,
}

/// Runs a command of one's own in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// It is stopped after this long, in milliseconds; ten minutes when absent, an hour at most.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// What such a command came to so far: one line of the answer. Each holds one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ExecPiece {
    /// Printed on standard output, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub out: Option<String>,
    /// Printed on standard error, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub err: Option<String>,
    /// How it ended; the last line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exit: Option<Exit>,
}

/// A sandbox there is, and what is known of its attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxBody {
    /// What its provider says.
    pub sandbox: SandboxRow,
    /// Time since it was made, in milliseconds.
    pub age_ms: u64,
    /// What its vendor asks for that time, in micro-dollars, as if it had stood all the while as it does now; absent where nobody
    /// asks for anything, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rent_usd_micros: Option<u64>,
    /// Who tries; absent when the log knows no such attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub entry: Option<Entry>,
    /// What the attempt used so far; absent when the log knows no such attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<UsageView>,
}

/// Every sandbox there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxesBody {
    /// By provider, then by name.
    pub rows: Vec<SandboxBody>,
    /// Providers that could not be asked; they may have more.
    pub unanswered: Vec<Unanswered>,
}

/// A limit, and who takes it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitBody {
    /// The limit.
    pub limit: Limit,
    /// Attempts under way that count towards it.
    pub in_use: usize,
    /// Whose they are, by name.
    pub by: Vec<LimitUse>,
}

/// What one person takes up of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUse {
    /// Who asked for their runs.
    pub by: String,
    /// Their attempts under way, by name.
    pub attempts: Vec<AttemptId>,
}

/// Cleans attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanRequest {
    /// Which.
    pub attempts: Vec<AttemptId>,
    /// The folder the archives go to, on the server's machine; the installation's own when absent.
    #[serde(default)]
    pub to: Option<String>,
}

/// Puts back, or forgets, what was cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanedRequest {
    /// Of which attempts.
    pub attempts: Vec<AttemptId>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanAnswer {
    /// As they were named.
    pub rows: Vec<CleanRow>,
}

/// What was asked for of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanRow {
    /// Which.
    pub attempt: AttemptId,
    /// Why it is not done; nothing when it will be.
    pub refused: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsPage {
    /// In order.
    pub rows: Vec<EventBody>,
    /// Where the next page begins. A page may be empty and yet not be the last one: compare with `head`.
    pub next: Seq,
    /// The last position of the log when this was read.
    pub head: Seq,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The oldest event the log keeps; older ones were removed.
    pub first: Seq,
    /// The last position of the log.
    pub seq: Seq,
    /// The last position that runs, attempts and the other views hold, while they are far behind `seq`: what they show is
    /// as of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<u64>)]
    pub catching_up: Option<Seq>,
    /// Where it keeps everything.
    pub data_dir: String,
    /// The fence a local sandbox made now would have, or why there is none.
    pub fence: String,
    /// The page's address, without a path; when it is served by TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// When it was started, in microseconds since the Unix epoch.
    pub started_at_us: u64,
    /// Where the relay to NATS stands, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub relay: Option<RelayState>,
    /// How it goes with telling each witness where the log stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessState>,
    /// Why nothing can be recorded now, when the disk is nearly full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub read_only: Option<String>,
    /// What is damaged in the log, as far as it was read again since the start; the first of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What they may do, in words.
    pub can: Vec<String>,
    /// How they are known.
    pub via: Via,
}

/// Begins a session.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The token's secret.
    pub token: String,
}

/// Makes a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What people call it.
    pub name: String,
    /// Who acts with it; the caller when absent.
    #[serde(default)]
    pub user: Option<String>,
    /// At most this role; the user's own when absent.
    #[serde(default)]
    pub role: Option<Role>,
    /// For how long it is worth something; for ever when absent.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
}

/// A token just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// Its public name.
    pub id: String,
    /// The secret; told here and never again.
    pub token: String,
}

/// A sign-in link just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkMade {
    /// Opens the page signed in; works once.
    pub link: String,
    /// The page's address, without a path.
    pub url: String,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// Its public name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who acts with it.
    pub user: String,
    /// At most this role.
    pub role: Role,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_at_us: u64,
    /// When it stops being worth anything.
    pub expires_at_us: Option<u64>,
    /// When it was used last, since the server was started.
    pub last_used_at_us: Option<u64>,
    /// When it was revoked.
    pub revoked_at_us: Option<u64>,
}

/// Adds a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Changes what a user may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    /// What they may do now.
    pub role: Role,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserRow {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Gives a secret a value.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// The value: text of at most 32 KiB.
    #[schema(value_type = String)]
    pub value: SecretString,
    /// Whose runs may use it; as before when absent, nobody's at first.
    #[serde(default)]
    pub scope: Option<Scope>,
}

/// Adds a gateway.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayRequest {
    /// What it is to be called.
    pub name: GatewayName,
    /// Where it listens: `ws://127.0.0.1:18789`, `wss://host`, without any secret.
    pub url: String,
    /// Whether a credential may go there over an unencrypted connection to another machine.
    #[serde(default)]
    pub allow_plain: bool,
    /// Its shared token; without it and a password this device proves who we are, once it was approved there.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub token: Option<SecretString>,
    /// Its password.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
}

/// Has a method of a gateway called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// Which.
    pub method: String,
    /// With what: an object; an empty one when absent.
    #[serde(default)]
    pub params: Option<serde_json::Value>,
}

/// Answers a question of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// One of the answers that are offered.
    pub decision: Decision,
    /// One line for people.
    #[serde(default)]
    pub note: String,
}

/// Answers the identical question of several attempts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswersRequest {
    /// The questions, by their whole ids: 1 to 256.
    pub approvals: Vec<ApprovalId>,
    /// One of the answers that are offered.
    pub decision: Decision,
    /// One line for people.
    #[serde(default)]
    pub note: String,
}

/// Asks what a rule would have answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// What it would answer.
    pub answer: RuleAnswer,
    /// To which questions.
    pub scope: RuleScope,
}

/// Seals everything with a fresh key.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// From this passphrase; from a key file when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<SecretString>,
    /// In the keyring of the desktop session the server was started from, instead of a key file.
    #[serde(default)]
    pub keyring: bool,
}

/// Opens a vault that takes a passphrase.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PassphraseRequest {
    /// The passphrase.
    #[schema(value_type = String)]
    pub passphrase: SecretString,
}

/// What was done with the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultAnswer {
    /// How many secrets it holds.
    pub secrets: usize,
    /// Where the vault is now that was put aside.
    pub aside: Option<String>,
}

/// The vault, without any value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretsView {
    /// Where it stands.
    pub standing: Standing,
    /// Whether the caller's connection may carry a value.
    pub may_set: bool,
    /// Every secret, by name.
    pub rows: Vec<SecretRow>,
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretRow {
    /// What it is called.
    pub name: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub made_at_us: u64,
    /// When it got its value, in microseconds since the Unix epoch.
    pub changed_at_us: u64,
    /// Whose runs may use it.
    pub scope: Scope,
    /// Keys of the configuration that name it.
    pub settings: Vec<String>,
    /// When it was last given out since the server was started.
    pub last_use: Option<LastUse>,
}

/// A use of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastUse {
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// By whom: an attempt with the part of it, or a key of the configuration.
    pub by: String,
}
