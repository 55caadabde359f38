//! A sandbox made of the files another one has, by a snapshot that goes again. The vendor's own way to fork takes no labels: one
//! whose answer was lost would be found by nobody. A snapshot lives until it is removed, so its name says whose it is and what
//! for: when we end before it is removed, whoever looks next for what that owner left behind finds it.

use std::sync::PoisonError;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::VENDOR;
use super::control::{Control, PAGE, PAGES_MAX, json_body};
use crate::provider::Error;
use crate::remote::cloud::Wanted;
use crate::remote::wire::{Again, Fault, chain};

/// What a sandbox was at a moment, to make others from.
#[derive(Debug, Deserialize)]
struct Snapshot {
    #[serde(rename = "snapshotID")]
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

impl Snapshot {
    /// Whether it has a name that begins so. The account's own name stands before one, and a tag behind: `team/name:default`.
    fn is_called(&self, beginning: &str) -> bool {
        let bare = |name: &String| name.rsplit('/').next().is_some_and(|name| name.starts_with(beginning));
        self.names.iter().chain([&self.id]).any(bare)
    }
}

/// What the names of an owner's snapshots begin with.
fn beginning(owner: &str) -> String {
    format!("regatta-fork-{owner}-")
}

/// A snapshot somebody here makes a sandbox of now.
struct Forking<'a> {
    control: &'a Control,
    name: String,
}

impl<'a> Forking<'a> {
    fn begin(control: &'a Control, wanted: &Wanted<'_>) -> Self {
        let name = format!("{}{}", beginning(wanted.owner), wanted.key);
        control.forking.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Self { control, name }
    }
}

impl Drop for Forking<'_> {
    fn drop(&mut self) {
        self.control.forking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Control {
    /// Makes a sandbox that begins with the files another one has now.
    pub(super) async fn fork(&self, id: &str, wanted: &Wanted<'_>) -> Result<(), Error> {
        let forking = Forking::begin(self, wanted);
        let snapshot = self.snapshot(id, &forking.name).await?;
        let made = self.create(&snapshot.id, wanted).await;
        // Of use to nobody else; what was made of it does not need it.
        if let Err(error) = self.forget(&snapshot).await {
            tracing::warn!(snapshot = snapshot.id, error = chain(&error), "a snapshot is left at E2B, for now");
        }
        made.map(drop)
    }

    /// Removes the snapshots an owner has that nobody here makes a sandbox of now.
    pub(super) async fn remove_snapshots(&self, owner: &str) -> Result<(), Error> {
        let ours = beginning(owner);
        for snapshot in self.snapshots().await? {
            let forking = self.forking.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if snapshot.is_called(&ours) && !forking.iter().any(|name| snapshot.is_called(name)) {
                tracing::warn!(snapshot = snapshot.id, "a snapshot was left at E2B, removing it");
                self.forget(&snapshot).await?;
            }
        }
        Ok(())
    }

    /// Every snapshot of the account; none where a server does not list them.
    async fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let (mut all, mut next) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let sent = self.account.send(Again::Safe, || {
                let request = self.request(Method::GET, "/snapshots").query(&[("limit", PAGE)]);
                Ok(match &next {
                    Some(next) => request.query(&[("nextToken", next)]),
                    None => request,
                })
            });
            let response = match sent.await {
                Ok(response) => response,
                Err(Fault::Refused(refused)) if matches!(refused.status, 404 | 405) => return Ok(all),
                Err(fault) => return Err(VENDOR.error("list snapshots", "the list of snapshots", fault)),
            };
            next = response.headers().get("x-next-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
            all.extend(self.read::<Vec<Snapshot>>("list snapshots", response).await?);
            if next.as_ref().is_none_or(String::is_empty) {
                break;
            }
        }
        Ok(all)
    }

    /// Without its memory nothing runs in what is made of it; not every account and node can do that. One of that name is
    /// replaced.
    async fn snapshot(&self, id: &str, name: &str) -> Result<Snapshot, Error> {
        let ask = async |body: serde_json::Value| {
            let path = format!("/sandboxes/{id}/snapshots");
            self.account.send(Again::Unsent, || Ok(json_body(self.request(Method::POST, &path), &body))).await
        };
        let response = match ask(json!({ "name": name, "memory": false })).await {
            Err(Fault::Refused(refused)) if matches!(refused.status, 400 | 409) => ask(json!({ "name": name })).await,
            asked => asked,
        };
        let response = response.map_err(|fault| VENDOR.error("keep a sandbox's files", id, fault))?;
        self.read("keep a sandbox's files", response).await
    }

    /// Removes a snapshot; one that is gone is fine.
    async fn forget(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let path = format!("/templates/{}", segment(&snapshot.id));
        match self.account.send(Again::Safe, || Ok(self.request(Method::DELETE, &path))).await {
            Ok(_) => Ok(()),
            Err(Fault::Refused(refused)) if refused.status == 404 => Ok(()),
            Err(fault) => Err(VENDOR.error("remove a snapshot", &snapshot.id, fault)),
        }
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
