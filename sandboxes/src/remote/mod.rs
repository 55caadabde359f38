//! Sandboxes on machines of a vendor: the provider's promises kept with a vendor's few primitives ([`Cloud`]) and a small
//! runner in the sandbox (`runner.pl`), which outlives every connection. The files it writes are the truth; the stream that
//! follows them only saves asking. Everything known here is found again by name, so a new instance finds what an old one left.
//!
//! Honest limits. What is around a command is the vendor's machine, not a fence of ours: inside it may do whatever the
//! sandbox's user may, and could forge what the runner says of it. Files of this machine's home are not shown: credentials
//! do not leave it. The sandbox needs perl, tar, find, git and bash. Its home is the sandbox user's, whose files do not count
//! for the disk's bound.

pub(crate) mod cloud;
mod feed;
mod known;
mod making;
mod plan;
mod provided;
mod reading;
#[cfg(test)]
pub(crate) mod replay;
mod seed;
pub(crate) mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::layout::{MARK_SANDBOX, is_name};
use crate::local;
use crate::provider::{Bounds, Capability, Created, Error, Exec, Found, Provider, Spec, Status, Stdio, Term};
use cloud::{Call, Cloud, Wanted};
use known::Known;
use making::{Looked, pack};
pub(crate) use provided::provider;
use wire::{random, transient};

/// A plan of so many bytes at most goes with the question to run it, and no file is sent before; as hexadecimal digits it is
/// twice as long, and one word of a command may have 128 KiB.
const PLAN_IN_QUESTION_BYTES_MAX: usize = 32 << 10;
/// Prints the first thing in the workspace that changed since it was made. `.git` at its top holds no file of it.
const CHANGES: &str = r#"cd "$1" && find work -path work/.git -prune -o -newercc created -print -quit"#;
/// How often a list is asked whether a sandbox is gone, before whoever waits is told that it is not.
const REMOVALS_MAX: u32 = 20;
/// Between two such questions; it grows.
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// A provider over a vendor.
pub(crate) struct Remote<C> {
    inner: Arc<Inner<C>>,
}

struct Inner<C> {
    cloud: C,
    /// Tells this instance's streams from those of others.
    client: String,
    known: Mutex<HashMap<String, Arc<Known>>>,
    /// Held while a sandbox of a key is looked for or made.
    making: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What is kept of a spec, in the sandbox itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Whose folder it is: in a copy of a sandbox, that of the one it was copied of, until it was made its own.
    #[serde(default)]
    key: String,
    owner: String,
    fence: String,
    network: bool,
    bounds: Bounds,
    /// Paths of the machine it was made on, which are elsewhere inside.
    read_only: Vec<String>,
    #[serde(default)]
    term: Term,
}

impl<C: Cloud> Remote<C> {
    pub(crate) fn new(cloud: C) -> Self {
        let client = format!("{:016x}", random());
        Self { inner: Arc::new(Inner { cloud, client, known: Mutex::default(), making: Mutex::default() }) }
    }

    pub(crate) fn cloud(&self) -> &C {
        &self.inner.cloud
    }

    /// The vendor's id of the sandbox of that key; it is not woken up.
    async fn id(&self, key: &str) -> Result<String, Error> {
        let listed = self.inner.cloud.find(key).await?.into_iter().next();
        listed.map(|listed| listed.id).ok_or_else(|| missing(key))
    }

    /// The sandbox of that key, from memory or found by its label.
    async fn known(&self, key: &str) -> Result<Arc<Known>, Error> {
        if !is_name(key) {
            return Err(no_name(key));
        }
        let known = match self.inner.remembered(key) {
            Some(known) => known,
            None => {
                let making = self.inner.making(key);
                let _held = making.lock().await;
                self.look(key).await?.prepared().ok_or_else(|| missing(key))?
            }
        };
        self.renew_if_due(&known);
        Ok(known)
    }

    fn renew_if_due(&self, known: &Arc<Known>) {
        if !known.is_due_for_renewal() {
            return;
        }
        let (inner, known) = (Arc::clone(&self.inner), Arc::clone(known));
        // Whoever asked does not wait for it; it is tried again with the next question.
        tokio::spawn(async move {
            if inner.cloud.renew(&known.machine.id).await.is_ok() {
                known.was_renewed();
            }
        });
    }

    /// Does something in a sandbox. What was remembered of it may be out of date: then it is looked for, once.
    async fn inside<T, F>(&self, key: &str, act: impl Fn(Arc<Known>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let known = self.known(key).await?;
        match act(Arc::clone(&known)).await {
            Err(Error::Missing(what)) if what == known.machine.id => {
                self.inner.forget(key);
                let known = self.known(key).await?;
                act(known).await.map_err(|error| match error {
                    Error::Missing(_) => missing(key),
                    error @ (Error::Unusable { .. }
                    | Error::TooLarge { .. }
                    | Error::Full { .. }
                    | Error::Transient { .. }) => error,
                })
            }
            done => done,
        }
    }

    /// Sends the plan of a command; what it is called in the command's folder.
    async fn send_plan(&self, known: &Known, exec: &str, plan: &[u8]) -> Result<String, Error> {
        let file = tempfile::NamedTempFile::new().and_then(|file| {
            std::fs::write(file.path(), plan)?;
            Ok(file.into_temp_path())
        });
        let file = file.map_err(|source| Error::Transient { action: "write down a command".to_owned(), source })?;
        let name = format!("plan.{:016x}", random());
        let path = format!("{}/{name}", known.exec_folder(exec));
        self.inner.cloud.upload(&known.machine, &path, &file).await?;
        Ok(name)
    }

    /// What one of the runner's modes answers.
    async fn ask(&self, known: &Known, mode: &str, exec: &str, more: &[&str]) -> Result<Vec<u8>, Error> {
        let call = Call { argv: known.runner(mode, exec, more), ..Call::default() };
        let answer = self.inner.cloud.call(&known.machine, &call).await?;
        if answer.code == 0 {
            return Ok(answer.out);
        }
        let said = String::from_utf8_lossy(&answer.err).trim().chars().take(300).collect::<String>();
        Err(transient(format!("ask the runner in a sandbox to {mode}"), format!("exit code {}: {said}", answer.code)))
    }
}

impl<C> Inner<C> {
    fn remembered(&self, key: &str) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn forget(&self, key: &str) {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key) {
            known.stop_following();
        }
    }

    fn making(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else holds what only the map holds.
        making.retain(|name, lock| name == key || Arc::strong_count(lock) > 1);
        Arc::clone(making.entry(key.to_owned()).or_default())
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn missing(key: &str) -> Error {
    Error::Missing(format!("sandbox {key}"))
}

fn no_name(name: &str) -> Error {
    Error::Unusable { reason: format!("`{name}` is no name: use a-z, 0-9 and -, at most 128") }
}

#[async_trait]
impl<C: Cloud> Provider for Remote<C> {
    fn name(&self) -> &'static str {
        self.inner.cloud.name()
    }

    async fn probe(&self) -> Result<String, Error> {
        self.inner.cloud.check().await?;
        Ok(self.inner.cloud.fence().to_owned())
    }

    async fn create(&self, spec: &Spec) -> Result<Created, Error> {
        if !is_name(&spec.key) {
            return Err(no_name(&spec.key));
        }
        let making = self.inner.making(&spec.key);
        let _held = making.lock().await;
        let made = match self.look(&spec.key).await? {
            Looked::Prepared(known) => return Ok(known.created.clone()),
            Looked::Made(machine) => Some(machine),
            Looked::Nothing => None,
        };
        let archive = pack(spec, self.inner.cloud.fence()).await?;
        self.make(spec, made, &archive).await
    }

    async fn find(&self, key: &str) -> Result<Created, Error> {
        Ok(self.known(key).await?.created.clone())
    }

    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
        let listed = self.inner.cloud.list(owner).await?;
        let mut found: Vec<Found> = listed
            .into_iter()
            .map(|listed| Found {
                key: listed.key,
                created_at_ms: listed.created_at_ms,
                disk_bytes: None,
                rent_usd_micros_per_hour: listed.rent_usd_micros_per_hour,
            })
            .collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        found.dedup_by(|one, other| one.key == other.key);
        Ok(found)
    }

    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
        if !is_name(&exec.name) {
            return Err(no_name(&exec.name));
        }
        let mut env: BTreeMap<String, String> =
            exec.env_pass.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
        // From memory to memory: the vendor's server inside gives them to the command, and keeps no file of them.
        env.extend(exec.secrets.exposed().map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.insert(MARK_SANDBOX.to_owned(), key.to_owned());
        let env = &env;
        self.inside(key, |known| async move {
            let plan = plan::write(exec, |text| known.told(text))?;
            let more = if plan.len() <= PLAN_IN_QUESTION_BYTES_MAX {
                ["-".to_owned(), plan::digits(&plan)].to_vec()
            } else {
                [self.send_plan(&known, &exec.name, &plan).await?].to_vec()
            };
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            // What it runs is found as whoever uses the template finds it.
            let call = Call { argv: known.runner("run", &exec.name, &more), env: env.clone(), login: true };
            let answer = self.inner.cloud.call(&known.machine, &call).await?;
            if answer.code != 0 {
                let said = String::from_utf8_lossy(&answer.err).trim().chars().take(300).collect::<String>();
                return Err(transient("start a command".to_owned(), said));
            }
            Ok(())
        })
        .await
    }

    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
        self.inside(key, |known| async move { self.standing(&known, exec).await }).await
    }

    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let read = |known: Arc<Known>| async move { self.read_from(&known, exec, stdio, offset, bytes_max).await };
        self.inside(key, read).await
    }

    async fn changed(&self, key: &str, exec: &str) {
        match self.known(key).await {
            Ok(known) => self.wait_for_news(known, exec).await,
            Err(_) => tokio::time::sleep(reading::LATEST).await,
        }
    }

    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
        let grace_ms = &grace_ms.to_string();
        let stop = |known: Arc<Known>| async move { self.ask(&known, "stop", exec, &[grace_ms]).await.map(drop) };
        self.inside(key, stop).await
    }

    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let what = &|| Error::Missing(format!("a regular file `{name}` in the outbox of {exec}"));
        if !local::is_plain(name) {
            return Err(what());
        }
        self.inside(key, |known| async move {
            let answer = self.ask(&known, "outbox", exec, &[name]).await?;
            let answer = String::from_utf8_lossy(&answer);
            let Ok(bytes) = answer.trim().parse::<u64>() else { return Err(what()) };
            if bytes > bytes_max {
                return Err(Error::TooLarge { what: name.to_owned(), bytes, bytes_max });
            }
            let path = format!("{}/outbox/{name}", known.exec_folder(exec));
            self.inner.cloud.download(&known.machine, &path, bytes_max).await
        })
        .await
    }

    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        if !is_name(exec) {
            return Err(no_name(exec));
        }
        let ask = |known: Arc<Known>| async move { Ok(self.ask(&known, "nothing", exec, &[]).await? == b"nothing\n") };
        self.inside(key, ask).await
    }

    async fn untouched(&self, key: &str) -> Result<bool, Error> {
        self.inside(key, |known| async move {
            let call = Call { argv: words(&["sh", "-c", CHANGES, "changes", &known.base]), ..Call::default() };
            let answer = self.inner.cloud.call(&known.machine, &call).await?;
            // What cannot be read is not proved.
            Ok(answer.code == 0 && answer.out.is_empty() && answer.err.is_empty())
        })
        .await
    }

    fn capabilities(&self) -> &'static [Capability] {
        self.inner.cloud.capabilities()
    }

    async fn pause(&self, key: &str) -> Result<(), Error> {
        self.inner.cloud.pause(&self.id(key).await?).await
    }

    async fn resume(&self, key: &str) -> Result<(), Error> {
        self.inner.cloud.resume(&self.id(key).await?).await
    }

    async fn fork(&self, key: &str, into: &str) -> Result<Created, Error> {
        if !is_name(into) {
            return Err(no_name(into));
        }
        let known = self.known(key).await?;
        let making = self.inner.making(into);
        let _held = making.lock().await;
        if let Some(made) = self.look(into).await?.prepared() {
            return Ok(made.created.clone());
        }
        let Kept { owner, network, term, .. } = &known.kept;
        let wanted = Wanted { key: into, owner, network: *network, term: *term };
        self.inner.cloud.fork(&known.machine.id, &wanted).await?;
        // Found by its label as after a crash, and made its own then.
        self.look(into).await?.prepared().map(|made| made.created.clone()).ok_or_else(|| missing(into))
    }

    async fn destroy(&self, key: &str) -> Result<(), Error> {
        if !is_name(key) {
            return Err(no_name(key));
        }
        let making = self.inner.making(key);
        let _held = making.lock().await;
        self.inner.forget(key);
        for tries in 0..REMOVALS_MAX {
            let left = self.inner.cloud.find(key).await?;
            if left.is_empty() {
                return Ok(());
            }
            for listed in left {
                self.inner.cloud.remove(&listed.id).await?;
            }
            // An end may take the vendor a while; the list says when it is over.
            tokio::time::sleep(REMOVAL_PAUSE * tries).await;
        }
        Err(transient(format!("remove sandbox {key}"), "it is still listed".to_owned()))
    }
}
