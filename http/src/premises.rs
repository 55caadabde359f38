//! What the handlers may ask about the installation itself: its configuration and the machine it stands on. Both are
//! the composition root's business; here stand only the questions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use regatta_core::{Actor, AttemptId, Seq};
use regatta_dispatcher::Refusal;
use regatta_federation::LinkState;
use regatta_projections::disk::LeftView;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::GatewayBody;

/// The questions.
#[async_trait]
pub trait Premises: Send + Sync + 'static {
    /// Every key, its value, and where that comes from. Secrets are left out.
    async fn config(&self) -> Result<Vec<ConfigRow>, Refusal>;

    /// Writes a value into the configuration file; `null` takes the key out of it.
    async fn configure(&self, key: &str, value: Value, by: Actor) -> Result<ConfigRow, Refusal>;

    /// Every change there was, the newest first.
    async fn config_history(&self) -> Result<Vec<ConfigChange>, Refusal>;

    /// What the doctor finds.
    async fn doctor(&self) -> Vec<Finding>;

    /// What takes the room of the data directory.
    async fn disk(&self) -> Result<Measured, Refusal>;

    /// Removes old segments of the log that are in a backup and that nobody needs any more, or says what would go.
    async fn prune(&self, request: PruneRequest, by: Actor) -> Result<Pruned, Refusal>;
}

/// How much of the log is to be kept. What neither says is as the configuration says; without any nothing is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneRequest {
    /// What is older than so many milliseconds may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_ms: Option<u64>,
    /// The oldest may go while the log takes more bytes of disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_bytes: Option<u64>,
    /// Whether it is only asked what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was removed from the log, or would be, and why the rest stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pruned {
    /// Whether it was only asked.
    pub dry_run: bool,
    /// What goes, oldest first.
    pub segments: Vec<PrunedSegment>,
    /// Bytes of those.
    pub freed_bytes: u64,
    /// The folder of the backup that holds them; absent when nothing goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub archive: Option<String>,
    /// The first event kept.
    pub first: Seq,
    /// The last event.
    pub head: Seq,
    /// Segments that stay.
    pub kept_segments: u64,
    /// Bytes of those.
    pub kept_bytes: u64,
    /// Why the first of those stays, and so all after it.
    pub reason: String,
}

/// A segment that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrunedSegment {
    /// Its first event.
    pub first: Seq,
    /// Its last event.
    pub last: Seq,
    /// Bytes of its file.
    pub bytes: u64,
    /// When its latest event happened, in microseconds since the Unix epoch.
    pub last_at_us: u64,
}

/// The data directory as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// The data directory.
    pub folder: String,
    /// Bytes of the disk it is on.
    pub total_bytes: u64,
    /// Bytes that are free there.
    pub free_bytes: u64,
    /// What is in it, all blobs as [`DiskSort::Unnamed`].
    pub parts: Vec<DiskPart>,
    /// Bytes of the sandboxes that exist, by attempt.
    pub workspaces: BTreeMap<AttemptId, u64>,
}

/// What takes the room of the data directory, and what of it may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskBody {
    /// The data directory.
    pub folder: String,
    /// Bytes of the disk it is on.
    pub total_bytes: u64,
    /// Bytes that are free there.
    pub free_bytes: u64,
    /// What is in it, the largest first.
    pub parts: Vec<DiskPart>,
    /// Where archives of what is cleaned go, unless somebody says otherwise.
    pub archives: String,
    /// What attempts left.
    pub left: LeftView,
}

/// A part of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskPart {
    /// What it is.
    pub sort: DiskSort,
    /// Bytes it takes.
    pub bytes: u64,
}

/// What a part of the data directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskSort {
    /// Events.
    Log,
    /// What is rebuilt from them: the index and snapshots.
    Index,
    /// Attempts' changes.
    Patches,
    /// What attempts left besides.
    Artifacts,
    /// Long prompts.
    Prompts,
    /// Blobs that no event of the log names: those of archived runs, or kept just before a crash.
    Unnamed,
    /// Archives of what was cleaned.
    Archives,
    /// Sandboxes that exist.
    Workspaces,
    /// Our copies of repositories. Packs that are linked from the repository itself count, and free nothing.
    Mirrors,
    /// Ready-made work trees.
    Seeds,
    /// Everything else.
    Other,
}

/// A configuration key and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigRow {
    /// Dotted.
    pub key: String,
    /// In force now; `null` when unset.
    pub value: Value,
    /// Without anybody saying anything.
    pub default: Value,
    /// `default`, a file and line, a variable or a flag.
    pub source: String,
    /// One line for people.
    pub about: String,
    /// Whether it may be changed here.
    pub changeable: bool,
    /// Written into the file, and in force after the next start; absent when that is what is in force already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after_restart: Option<Value>,
}

/// A change of a configuration key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigChange {
    /// Dotted.
    pub key: String,
    /// What it was.
    pub from: Value,
    /// What it became; `null` when it was taken out of the file.
    pub to: Value,
    /// Who.
    pub by: String,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Position of the event.
    #[schema(value_type = u64)]
    pub seq: Seq,
}

/// How something the doctor looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// As it should be.
    Ok,
    /// Not there, and not needed.
    Note,
    /// Works, but worse than it could.
    Warn,
    /// Something will not work.
    Fail,
}

/// One thing the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What.
    pub name: String,
    /// How it is.
    pub state: FindingState,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fix: Option<String>,
}

impl Finding {
    /// How the connection to a gateway is. Without one, or without the right to answer, its agents are denied at once what
    /// they ask for.
    #[must_use]
    pub fn of_gateway(row: &GatewayBody) -> Self {
        let name = format!("gateway {}", row.view.name);
        let link = row.link.clone().unwrap_or_default();
        if link.state != LinkState::Connected {
            let reason = link.reason.as_deref().unwrap_or("it is being connected to");
            let found = format!("not connected, so its agents' questions are denied at once: {reason}");
            let fix = link.advice.unwrap_or_else(|| format!("regatta gateway test {}", row.view.name));
            return Self { name, state: FindingState::Fail, found, fix: Some(fix) };
        }
        let version = row.view.version.as_deref().unwrap_or("unknown");
        if row.view.lacks.is_empty() {
            let found = format!("connected, version {version}; questions of its agents are heard");
            return Self { name, state: FindingState::Ok, found, fix: None };
        }
        let found = format!("connected, version {version}, without {}", row.view.lacks.join("; "));
        let fix = "approve this device with these scopes at the gateway, or connect with its shared token";
        Self { name, state: FindingState::Warn, found, fix: Some(fix.to_owned()) }
    }
}
