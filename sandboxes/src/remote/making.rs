//! How a sandbox comes to be: looked for, asked of the vendor, and prepared from an archive; or made its own, when it is a copy of
//! another one. Everything may be done again after it broke off.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::cloud::{Answer, Call, Cloud, Machine, Wanted};
use super::known::Known;
use super::wire::{random, transient};
use super::{Kept, Remote, seed, words};
use crate::local;
use crate::provider::{Bounds, Created, Error, Spec};

/// What a command is watched by.
const RUNNER: &str = include_str!("runner.pl");
/// What makes our folder in a sandbox.
const PREPARE: &str = include_str!("prepare.pl");
/// What makes a copy of a sandbox one of its own.
const OWN: &str = include_str!("own.sh");
/// Its exit when the sandbox's template lacks a program it names.
const PROGRAM_MISSING: i32 = 69;
/// The exit of what starts it when there is no perl.
const NOT_FOUND: i32 = 127;
/// Says where our folder is, and what it is; nothing when it was not made yet.
const LOOK: &str =
    r#"[ -e "$HOME/regatta/spec.json" ] || exit 0; printf '%s\n' "$HOME/regatta"; cat "$HOME/regatta/spec.json""#;

/// What there is of a key.
pub(super) enum Looked {
    /// A sandbox with everything in it.
    Prepared(Arc<Known>),
    /// One in which there is nothing of ours yet.
    Made(Machine),
    Nothing,
}

impl Looked {
    pub(super) fn prepared(self) -> Option<Arc<Known>> {
        match self {
            Self::Prepared(known) => Some(known),
            Self::Made(_) | Self::Nothing => None,
        }
    }
}

impl<C: Cloud> Remote<C> {
    /// Looks for a sandbox; the caller holds the key.
    pub(super) async fn look(&self, key: &str) -> Result<Looked, Error> {
        if let Some(known) = self.inner.remembered(key) {
            return Ok(Looked::Prepared(known));
        }
        let Some(listed) = self.inner.cloud.find(key).await?.into_iter().next() else { return Ok(Looked::Nothing) };
        let machine = match self.inner.cloud.reach(&listed.id).await {
            Ok(machine) => machine,
            Err(Error::Missing(_)) => return Ok(Looked::Nothing),
            Err(error) => return Err(error),
        };
        let call = Call { argv: words(&["sh", "-c", LOOK]), ..Call::default() };
        let answer = self.inner.cloud.call(&machine, &call).await?;
        match read(&answer) {
            Some((base, kept)) if !kept.key.is_empty() && kept.key != key => {
                self.own(key, machine, base, kept).await.map(Looked::Prepared)
            }
            Some(_) => Ok(self.remember(key, machine, &answer).map_or(Looked::Nothing, Looked::Prepared)),
            None => Ok(Looked::Made(machine)),
        }
    }

    /// Makes a copy of another sandbox one of its own: nothing of what ran there runs on, and none of its commands is known.
    async fn own(&self, key: &str, machine: Machine, base: &str, kept: Kept) -> Result<Arc<Known>, Error> {
        let failed = |why: String| transient("make a copy of a sandbox its own".to_owned(), why);
        let kept = Kept { key: key.to_owned(), ..kept };
        let kept = serde_json::to_string(&kept).map_err(|error| failed(error.to_string()))?;
        let call = Call { argv: words(&["sh", "-c", OWN, "own", base, &kept]), ..Call::default() };
        let answer = self.inner.cloud.call(&machine, &call).await?;
        if answer.code != 0 {
            let said = String::from_utf8_lossy(&answer.err).trim().chars().take(300).collect::<String>();
            return Err(failed(format!("exit code {}: {said}", answer.code)));
        }
        self.remember(key, machine, &answer).ok_or_else(|| failed("it does not say what it is".to_owned()))
    }

    /// Takes what a prepared sandbox says of itself.
    fn remember(&self, key: &str, machine: Machine, answer: &Answer) -> Option<Arc<Known>> {
        let (base, kept) = read(answer)?;
        let known = Arc::new(Known::new(machine, base, &kept));
        let mut all = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.to_owned(), Arc::clone(&known));
        Some(known)
    }

    /// Makes a sandbox unless there is one already, and puts into it what it begins with.
    pub(super) async fn make(&self, spec: &Spec, made: Option<Machine>, archive: &Path) -> Result<Created, Error> {
        let machine = match made {
            Some(machine) => machine,
            None => self.make_one(spec).await?,
        };
        match self.prepare(&spec.key, machine.clone(), archive).await {
            Ok(known) => Ok(known.created.clone()),
            // It would be found again, and never be of use.
            Err(error @ Error::Unusable { .. }) => {
                self.inner.cloud.remove(&machine.id).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes one; when somebody else did too, or our answer was lost and we did it twice, the oldest is the one.
    async fn make_one(&self, spec: &Spec) -> Result<Machine, Error> {
        let cloud = &self.inner.cloud;
        let wanted = Wanted { key: &spec.key, owner: &spec.owner, network: spec.network, term: spec.term };
        let made = cloud.make(&wanted).await?;
        let mut all = cloud.find(&spec.key).await?.into_iter();
        let Some(oldest) = all.next() else { return Ok(made) };
        for surplus in all {
            cloud.remove(&surplus.id).await?;
        }
        if oldest.id == made.id { Ok(made) } else { cloud.reach(&oldest.id).await }
    }

    async fn prepare(&self, key: &str, machine: Machine, archive: &Path) -> Result<Arc<Known>, Error> {
        let unique = format!("{:016x}", random());
        let path = format!("/tmp/regatta-{unique}.tar");
        self.inner.cloud.upload(&machine, &path, archive).await?;
        let argv = words(&["perl", "-we", PREPARE, &path, &unique]);
        let answer = self.inner.cloud.call(&machine, &Call { argv, ..Call::default() }).await?;
        let said = String::from_utf8_lossy(&answer.err).trim().chars().take(300).collect::<String>();
        match answer.code {
            0 => {}
            code @ (PROGRAM_MISSING | NOT_FOUND) => {
                let said = if code == NOT_FOUND { "perl".to_owned() } else { said };
                let reason = format!(
                    "the template of {} sandboxes has no `{said}`; use one with perl, tar, find and git",
                    self.inner.cloud.name()
                );
                return Err(Error::Unusable { reason });
            }
            code => return Err(transient("prepare a sandbox".to_owned(), format!("exit code {code}: {said}"))),
        }
        let strange = || transient("prepare a sandbox".to_owned(), "it does not say what it is".to_owned());
        self.remember(key, machine, &answer).ok_or_else(strange)
    }
}

/// What a prepared sandbox says of itself: where our folder is, and what it is.
fn read(answer: &Answer) -> Option<(&str, Kept)> {
    let (base, json) = std::str::from_utf8(&answer.out).ok()?.split_once('\n')?;
    Some((base, serde_json::from_str(json).ok()?))
}

/// Packs what goes into a sandbox, away from the threads that answer.
pub(super) async fn pack(spec: &Spec, fence: &str) -> Result<tempfile::TempPath, Error> {
    let read_only: Vec<String> = spec.read_only.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let kept = Kept {
        key: spec.key.clone(),
        owner: spec.owner.clone(),
        fence: fence.to_owned(),
        network: spec.network,
        bounds: spec.bounds,
        read_only,
        term: spec.term,
    };
    let spec = spec.clone();
    let work = move || -> Result<tempfile::TempPath, Error> {
        local::check(&spec)?;
        let failed = |source| Error::Transient { action: "pack what goes into a sandbox".to_owned(), source };
        let archive = tempfile::NamedTempFile::new().map_err(failed)?.into_temp_path();
        let Bounds { memory_bytes_max, processes_max, disk_bytes_max } = spec.bounds;
        let json = serde_json::to_vec(&kept).map_err(|error| failed(error.into()))?;
        let ours = [
            (
                "bounds",
                format!("{memory_bytes_max} {processes_max} {disk_bytes_max} {}\n", spec.term.epoch).into_bytes(),
            ),
            ("runner.pl", RUNNER.as_bytes().to_vec()),
            ("spec.json", json),
        ];
        let load = seed::Load { seed: &spec.seed, inbox: &spec.inbox, read_only: &spec.read_only, ours: &ours };
        seed::pack(&load, &archive)?;
        Ok(archive)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(packed) => packed,
        Err(error) => Err(transient("pack what goes into a sandbox".to_owned(), error.to_string())),
    }
}
