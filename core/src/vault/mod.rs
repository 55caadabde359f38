//! The vault: sealed credentials. The one place that sees plain secrets; it gives them out as [`SecretString`], which
//! cannot be printed or serialized and is wiped from memory when dropped. Every change and every use is an event that
//! names the secret. Knows nothing of runs, sandboxes or requests.
//!
//! Honest limits. Who can read the key file and the vault's file can open it; a passphrase guards against that as well as
//! it is good. That an older file was put back is told by the log, which is not sealed. What was given out is out of the
//! vault's hands.

mod credential;
mod disk;
mod error;
mod file;
mod key;
mod keyring;
mod name;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use utoipa::ToSchema;

use crate::event::SecretEvent;
use crate::event::secret::{Allowed, Removed, Rotated, Scope, Set, Used, UsedBy};
use crate::{Actor, Append, Clock, Draft, Event, Expect, Log, ReadError, ReadMax, Stream, log, to_the_end};
pub use credential::{Credential, CredentialError};
pub use error::VaultError;
pub use name::{NAME_BYTES_MAX, SecretName};
use store::Store;

/// Most bytes of a secret's value. A third of what the kernel takes as one variable, and far less than a piece of output,
/// so that a value can be recognized wherever it stands in one.
pub const SECRET_BYTES_MAX: usize = 32 << 10;
/// Most secrets of one installation.
pub const SECRETS_MAX: usize = 1_000;

/// Where the vault's key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// A file beside the vault's, which only its owner can read.
    File,
    /// A passphrase that is given after each start.
    Passphrase,
    /// The keyring of the desktop session the server was started from.
    Keyring,
}

/// What a vault is to be sealed with from now on; the key itself is drawn afresh.
#[derive(Debug)]
pub enum NewKey {
    /// A key in a file beside the vault's.
    File,
    /// The key of this passphrase.
    Passphrase(SecretString),
    /// A key in the keyring of the desktop session.
    Keyring,
}

impl NewKey {
    fn kind(&self) -> KeyKind {
        match self {
            Self::File => KeyKind::File,
            Self::Passphrase(_) => KeyKind::Passphrase,
            Self::Keyring => KeyKind::Keyring,
        }
    }
}

impl KeyKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::Keyring => "keyring",
        }
    }
}

/// Where the vault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was ever put into it.
    Empty,
    /// Its passphrase is not known yet.
    Locked,
    /// It gives out what is asked for.
    Open {
        /// Where its key comes from.
        key: KeyKind,
        /// Counts every change of its file.
        generation: u64,
    },
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// What it is called.
    pub name: SecretName,
    /// Where the file stood when it got its value.
    pub generation: u64,
    /// When it was made, in microseconds since the Unix epoch.
    pub made_at_us: u64,
    /// When it got its value, in microseconds since the Unix epoch.
    pub changed_at_us: u64,
    /// Whose runs may use it.
    pub scope: Scope,
}

/// A use of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// By whom.
    pub by: UsedBy,
}

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    store: Arc<tokio::sync::Mutex<Store>>,
    /// Since the start.
    used: Mutex<BTreeMap<SecretName, LastUse>>,
}

impl Vault {
    /// The vault of a folder, whose history is in the log. Nothing is read or made on disk before it is needed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(folder: &Path, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let mut recorded = 0;
        let mut position = 0;
        loop {
            let batch = log.read_stream(&Stream::secrets(), position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Secret(event)) = envelope.event() {
                    recorded = generation(&event).unwrap_or(recorded);
                }
            }
        }
        let store = Arc::new(tokio::sync::Mutex::new(Store::new(folder, recorded)));
        Ok(Self(Arc::new(Inner { log, clock, store, used: Mutex::default() })))
    }

    /// Where it stands.
    ///
    /// # Errors
    /// Why it cannot be opened, with what to do.
    pub async fn standing(&self) -> Result<Standing, VaultError> {
        self.with(Store::standing).await.map(|(standing, _)| standing)
    }

    /// Every secret, by name, without its value.
    ///
    /// # Errors
    /// Why it cannot be opened, with what to do.
    pub async fn rows(&self) -> Result<Vec<SecretRow>, VaultError> {
        self.with(Store::rows).await.map(|(rows, _)| rows)
    }

    /// When a secret was last given out since the start, and to whom.
    #[must_use]
    pub fn last_use(&self, name: &SecretName) -> Option<LastUse> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Opens a vault that takes a passphrase.
    ///
    /// # Errors
    /// When it is not the right one, with what to do.
    pub async fn unlock(&self, passphrase: SecretString) -> Result<(), VaultError> {
        self.with(move |store| store.unlock(&passphrase)).await.map(drop)
    }

    /// Gives a secret a value. Whose runs may use it stays as it is unless `scope` says otherwise; at first nobody's.
    ///
    /// # Errors
    /// A bound that is not kept, or why it cannot be written; nothing was changed then.
    pub async fn set(
        &self,
        name: &SecretName,
        value: SecretString,
        scope: Option<Scope>,
        by: &Actor,
    ) -> Result<Scope, VaultError> {
        let (key, now_us) = (name.clone(), self.0.clock.now_us());
        let secret = name.to_string();
        let fact = |(generation, scope): &(u64, Scope)| {
            SecretEvent::Set(Set { secret, generation: *generation, scope: scope.clone() })
        };
        self.change(by, move |store| store.set(&key, &value, scope, now_us), fact).await.map(|(_, scope)| scope)
    }

    /// Lets runs of more repositories use a secret.
    ///
    /// # Errors
    /// When there is no such secret, or it cannot be written.
    pub async fn allow(&self, name: &SecretName, more: Scope, by: &Actor) -> Result<Scope, VaultError> {
        let (key, secret) = (name.clone(), name.to_string());
        let fact = |(generation, scope): &(u64, Scope)| {
            SecretEvent::Allowed(Allowed { secret, generation: *generation, scope: scope.clone() })
        };
        self.change(by, move |store| store.allow(&key, &more), fact).await.map(|(_, scope)| scope)
    }

    /// Takes a secret away.
    ///
    /// # Errors
    /// When there is no such secret, or it cannot be written.
    pub async fn remove(&self, name: &SecretName, by: &Actor) -> Result<(), VaultError> {
        let (key, secret) = (name.clone(), name.to_string());
        let fact = |generation: &u64| SecretEvent::Removed(Removed { secret, generation: *generation });
        self.change(by, move |store| store.remove(&key), fact).await.map(drop)
    }

    /// Seals everything with a fresh key. How many secrets there are.
    ///
    /// # Errors
    /// Why it cannot be done; what was sealed before stays readable then.
    pub async fn rotate(&self, to: NewKey, by: &Actor) -> Result<usize, VaultError> {
        let key = to.kind().as_str().to_owned();
        let fact = |(generation, secrets): &(u64, usize)| {
            let secrets = u32::try_from(*secrets).unwrap_or(u32::MAX);
            SecretEvent::Rotated(Rotated { generation: *generation, key, secrets })
        };
        self.change(by, move |store| store.rotate(&to), fact).await.map(|(_, secrets)| secrets)
    }

    /// Puts a vault that cannot be opened any more aside and begins an empty one. Where the old one is now.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn reset(&self, by: &Actor) -> Result<Option<PathBuf>, VaultError> {
        let now_us = self.0.clock.now_us();
        let fact = |(generation, _): &(u64, Option<PathBuf>)| {
            SecretEvent::Rotated(Rotated {
                generation: *generation,
                key: KeyKind::File.as_str().to_owned(),
                secrets: 0,
            })
        };
        self.change(by, move |store| store.reset(now_us), fact).await.map(|(_, aside)| aside)
    }

    /// Whether runs of a repository may use a secret, and it is there to be given out.
    ///
    /// # Errors
    /// Why not, with what to do.
    pub async fn check(&self, name: &SecretName, repository: &str) -> Result<(), VaultError> {
        let (name, repository) = (name.clone(), repository.to_owned());
        self.with(move |store| usable(store, &name, &repository).map(drop)).await.map(drop)
    }

    /// Gives secrets to a command of a run of that repository. That it was given them is on disk when this returns.
    ///
    /// # Errors
    /// Why one cannot be given out, with what to do.
    pub async fn give(
        &self,
        names: &[SecretName],
        repository: &str,
        by: UsedBy,
    ) -> Result<Vec<SecretString>, VaultError> {
        let (wanted, repository) = (names.to_vec(), repository.to_owned());
        let all = move |store: &mut Store| wanted.iter().map(|name| usable(store, name, &repository)).collect();
        let (values, _) = self.with::<Result<Vec<_>, _>, _>(move |store| Ok(all(store))).await?;
        let values = values?;
        self.used(names, by).await?;
        Ok(values)
    }

    /// What can be given out of secrets without saying so: to recognize them in what is recorded.
    pub async fn known(&self, names: &[SecretName]) -> Vec<(SecretName, SecretString)> {
        let wanted = names.to_vec();
        let known = self
            .with(move |store| {
                let known = wanted.into_iter().filter_map(|name| store.value(&name).ok().map(|value| (name, value)));
                Ok(known.collect())
            })
            .await;
        known.map(|(values, _)| values).unwrap_or_default()
    }

    /// Gives the server a secret that a key of its configuration names. Said once per start and key, not at every
    /// connection.
    ///
    /// # Errors
    /// Why it cannot be given out, with what to do.
    pub async fn credential(&self, name: &SecretName, setting: &str) -> Result<SecretString, VaultError> {
        let wanted = name.clone();
        let (value, _) = self.with(move |store| store.value(&wanted)).await?;
        let by = UsedBy::Setting(setting.to_owned());
        if self.last_use(name).is_none_or(|last| last.by != by) {
            self.used(std::slice::from_ref(name), by).await?;
        }
        Ok(value)
    }

    async fn used(&self, names: &[SecretName], by: UsedBy) -> Result<(), VaultError> {
        if names.is_empty() {
            return Ok(());
        }
        let used = Used { secrets: names.iter().map(ToString::to_string).collect(), by: by.clone() };
        self.record(Stream::secret_uses(), SecretEvent::Used(used), &Actor::regatta(), None).await?;
        let at_us = self.0.clock.now_us();
        let mut last = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(names.iter().map(|name| (name.clone(), LastUse { at_us, by: by.clone() })));
        Ok(())
    }

    /// Changes the store and records that, as one: whoever hangs up leaves nothing half done.
    async fn change<T: Send + 'static>(
        &self,
        by: &Actor,
        work: impl FnOnce(&mut Store) -> Result<T, VaultError> + Send + 'static,
        fact: impl FnOnce(&T) -> SecretEvent + Send + 'static,
    ) -> Result<T, VaultError> {
        self.writable()?;
        let (vault, by) = (self.clone(), by.clone());
        to_the_end(async move {
            let (done, held) = vault.with(work).await?;
            vault.record(Stream::secrets(), fact(&done), &by, held).await?;
            Ok(done)
        })
        .await
    }

    /// Does something with the store beside the threads that answer; the store is held until the second is dropped.
    async fn with<T: Send + 'static, W>(&self, work: W) -> Result<(T, Held), VaultError>
    where
        W: FnOnce(&mut Store) -> Result<T, VaultError> + Send + 'static,
    {
        let mut store = Arc::clone(&self.0.store).lock_owned().await;
        let worked = tokio::task::spawn_blocking(move || (work(&mut store), store)).await;
        let (done, store) = worked.map_err(|error| VaultError::Machine(format!("open the vault: {error}")))?;
        done.map(|done| (done, Some(store)))
    }

    /// A change that could not be recorded is not made.
    fn writable(&self) -> Result<(), VaultError> {
        self.0.log.read_only().map_or(Ok(()), |reason| Err(VaultError::Log(reason)))
    }

    /// Makes a fact durable; the store is held meanwhile, so that facts stand in the order of the changes.
    async fn record(&self, stream: Stream, event: SecretEvent, by: &Actor, held: Held) -> Result<(), VaultError> {
        let draft = Draft::new(&Event::Secret(event), &*self.0.clock, by.clone(), uuid::Uuid::nil());
        let draft = Draft { correlation: draft.id.0, ..draft };
        let append = Append { stream, expect: Expect::Any, events: vec![draft] };
        let appended = log::append(&*self.0.log, append).await;
        drop(held);
        appended.map(drop).map_err(|error| VaultError::Log(error.to_string()))
    }
}

type Held = Option<OwnedMutexGuard<Store>>;

fn usable(store: &mut Store, name: &SecretName, repository: &str) -> Result<SecretString, VaultError> {
    let rows = store.rows()?;
    let row = rows.iter().find(|row| row.name == *name);
    let row = row.ok_or_else(|| VaultError::NotThere(name.to_string()))?;
    if !row.scope.everywhere && !row.scope.repositories.contains(repository) {
        return Err(VaultError::NotAllowed { secret: name.to_string(), repository: repository.to_owned() });
    }
    store.value(name)
}

/// Where the file stood after a change.
fn generation(event: &SecretEvent) -> Option<u64> {
    match event {
        SecretEvent::Set(set) => Some(set.generation),
        SecretEvent::Removed(removed) => Some(removed.generation),
        SecretEvent::Allowed(allowed) => Some(allowed.generation),
        SecretEvent::Rotated(rotated) => Some(rotated.generation),
        SecretEvent::Used(_) => None,
    }
}
