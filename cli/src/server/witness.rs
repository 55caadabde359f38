//! Tells the witnesses where the log stands, on a schedule and at the end. A witness that cannot be told is said once
//! and tried again; it never stops the server. Before one is told anything, what it has heard last is compared with the
//! log: one that contradicts it is told nothing more, for what it has heard must stand until a person has seen it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regatta_core::log::witness::{Found, WitnessError, WitnessState, Witnessed, read_file};
use regatta_core::{Clock as _, DurableLog, InstallId, SystemClock, Vault};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::commands::log::witness::{FILE, NATS, todo};
use crate::config::{Config, NatsSettings};
use crate::failure::{Failure, chain};

/// How long the start of a server waits for its witnesses, so that whoever starts it hears what they have against the log.
const START_WAITS_MAX: Duration = Duration::from_secs(2);

/// Tells, until it is told to stop.
struct Telling {
    every: Duration,
    witnesses: Vec<Witness>,
    vault: Vault,
    log: DurableLog,
    install: InstallId,
    told: Told,
}

/// How it goes with each, for whoever looks.
struct Told(watch::Sender<Vec<WitnessState>>);

/// Somebody outside the data directory.
struct Witness {
    place: Place,
    /// Whether what it has heard last was compared with the log.
    is_compared: bool,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Nats(NatsSettings),
}

/// Witnesses being told.
pub(super) struct Witnessing {
    pub(super) task: JoinHandle<()>,
    /// How it goes with each of them; nothing without any.
    pub(super) told: Option<watch::Receiver<Vec<WitnessState>>>,
}

/// Starts telling, when the configuration names a witness.
pub(super) async fn start(
    data_dir: &Path,
    config: &Config,
    log: &DurableLog,
    vault: &Vault,
    install: InstallId,
    stop: CancellationToken,
) -> Result<Witnessing, Failure> {
    let places = places(data_dir, config)?;
    if places.is_empty() {
        return Ok(Witnessing { task: tokio::spawn(std::future::ready(())), told: None });
    }
    let (told, seen) = watch::channel(places.iter().map(|place| WitnessState::of(place.name())).collect());
    let witnesses = places.into_iter().map(|place| Witness { place, is_compared: false }).collect();
    let (every, log, vault) = (config.witness().every, log.clone(), vault.clone());
    let mut telling = Telling { every, witnesses, vault, log, install, told: Told(told) };
    if tokio::time::timeout(START_WAITS_MAX, telling.look_back()).await.is_err() {
        tracing::warn!("a witness is slow to answer; it is compared with the log while the server is up");
    }
    Ok(Witnessing { task: tokio::spawn(telling.run(stop)), told: Some(seen) })
}

/// Where the configuration says that witnesses are.
fn places(data_dir: &Path, config: &Config) -> Result<Vec<Place>, Failure> {
    let settings = config.witness();
    let mut places = Vec::new();
    if let Some(path) = settings.file {
        let path = std::path::absolute(path)?;
        if path.starts_with(data_dir) {
            return Err(Failure::usage(format!("witness.file {} is inside the data directory", path.display())).hint(
                "name a file elsewhere: whoever can change the log must not be able to change what it is compared with",
            ));
        }
        places.push(Place::File(path));
    }
    if settings.nats {
        places.push(Place::Nats(nats(config)?));
    }
    Ok(places)
}

fn nats(config: &Config) -> Result<NatsSettings, Failure> {
    if cfg!(not(feature = "nats")) {
        return Err(Failure::usage("this regatta was built without NATS").hint("unset witness.nats"));
    }
    config.nats()?.ok_or_else(|| {
        Failure::usage("witness.nats is on, but there is no nats.url").hint("name the server, or unset witness.nats")
    })
}

impl Telling {
    async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.look_back()).await;
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(self.every)).await.is_none();
            self.tell().await;
            if stopped {
                return;
            }
        }
    }

    /// Compares the log with what those have heard last that were not asked yet.
    async fn look_back(&mut self) {
        let Self { witnesses, vault, log, install, told, .. } = self;
        for witness in witnesses.iter_mut().filter(|witness| !witness.is_compared) {
            match witness.place.contradicts(log, install, vault).await {
                Ok(contradicted) => {
                    witness.is_compared = true;
                    contradicted.into_iter().for_each(|reason| told.contradicted(&witness.place, reason));
                }
                Err(reason) => told.failed(&witness.place, reason),
            }
        }
    }

    async fn tell(&mut self) {
        self.look_back().await;
        let Some(said) = Witnessed::now(&self.log, &self.install, SystemClock.now_us()) else { return };
        for Witness { place, is_compared } in &self.witnesses {
            if *is_compared && self.told.is_news(place, &said) {
                match place.tell(&said, &self.vault).await {
                    Ok(()) => self.told.heard(place, &said),
                    Err(reason) => self.told.failed(place, reason),
                }
            }
        }
    }
}

impl Told {
    fn is_news(&self, place: &Place, said: &Witnessed) -> bool {
        let is_news = |state: &WitnessState| state.heard < said.seq && state.contradicted.is_none();
        self.0.borrow().iter().any(|state| state.name == place.name() && is_news(state))
    }

    fn heard(&self, place: &Place, said: &Witnessed) {
        self.change(place, |state| {
            if state.failed.take().is_some() {
                tracing::info!(witness = state.name, seq = %said.seq, "the witness hears again");
            }
            (state.heard, state.heard_at_us) = (said.seq, Some(said.at_us));
        });
    }

    /// A reason is logged once, not at every try.
    fn failed(&self, place: &Place, reason: String) {
        self.change(place, |state| {
            if state.failed.as_ref() != Some(&reason) {
                tracing::warn!(
                    witness = state.name,
                    reason,
                    "the witness cannot be told where the log stands; it is tried again"
                );
                state.failed = Some(reason);
            }
        });
    }

    fn contradicted(&self, place: &Place, reason: String) {
        self.change(place, |state| {
            let todo = todo(state);
            tracing::error!(
                witness = state.name,
                reason,
                todo,
                "the witness contradicts the log, and is told nothing more"
            );
            state.contradicted = Some(reason);
        });
    }

    fn change(&self, place: &Place, change: impl FnOnce(&mut WitnessState)) {
        self.0.send_modify(|all| {
            if let Some(state) = all.iter_mut().find(|state| state.name == place.name()) {
                change(state);
            }
        });
    }
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Self::File(_) => FILE,
            Self::Nats(_) => NATS,
        }
    }

    /// How the log is not what was heard there last: it was shortened or changed, or is an older copy.
    async fn contradicts(
        &self,
        log: &DurableLog,
        install: &InstallId,
        vault: &Vault,
    ) -> Result<Option<String>, String> {
        let Some(said) = self.last(install, vault).await? else { return Ok(None) };
        let (log, seq) = (log.clone(), said.seq);
        let found = spawn_blocking(move || said.parts_from(&log)).await.map_err(|error| error.to_string())?;
        let found = found.map_err(|error| format!("the log cannot be compared with it: {}", chain(&error)))?;
        Ok(found.map(|found| match found {
            Found::Ended(head) => format!("it heard up to event {seq}, and the log ends at {head}"),
            Found::Hash(_) | Found::NoEnd => format!("it heard another event {seq} than the log has"),
        }))
    }

    /// What was told there last of this install.
    async fn last(&self, install: &InstallId, vault: &Vault) -> Result<Option<Witnessed>, String> {
        match self {
            Self::File(path) => {
                let (path, install) = (path.clone(), install.clone());
                let heard = spawn_blocking(move || {
                    let has_folder = path.parent().is_none_or(Path::exists);
                    (read_file(&path, &install), has_folder)
                });
                let (heard, has_folder) = heard.await.map_err(|error| error.to_string())?;
                match heard {
                    Ok(mut heard) => Ok(heard.pop()),
                    // It is made when it is told. When its folder is away, it may have heard much.
                    Err(WitnessError::Io(error)) if error.kind() == ErrorKind::NotFound && has_folder => Ok(None),
                    Err(error) => Err(chain(&error)),
                }
            }
            Self::Nats(settings) => last_of_nats(settings.clone(), vault, install).await,
        }
    }

    async fn tell(&self, said: &Witnessed, vault: &Vault) -> Result<(), String> {
        match self {
            Self::File(path) => {
                let (path, said) = (path.clone(), said.clone());
                let told = spawn_blocking(move || said.add_to(&path)).await;
                told.map_err(|error| error.to_string())?.map_err(|error| chain(&error))
            }
            Self::Nats(settings) => tell_nats(settings.clone(), vault, said).await,
        }
    }
}

#[cfg(feature = "nats")]
async fn tell_nats(settings: NatsSettings, vault: &Vault, said: &Witnessed) -> Result<(), String> {
    let server = crate::nats::server(settings, Some(vault.clone()));
    regatta_core::bus::nats::witness::tell(&server, said).await.map_err(|error| chain(&error))
}

#[cfg(not(feature = "nats"))]
async fn tell_nats(_: NatsSettings, _: &Vault, _: &Witnessed) -> Result<(), String> {
    Err("built without NATS".to_owned())
}

#[cfg(feature = "nats")]
async fn last_of_nats(settings: NatsSettings, vault: &Vault, install: &InstallId) -> Result<Option<Witnessed>, String> {
    let server = crate::nats::server(settings, Some(vault.clone()));
    regatta_core::bus::nats::witness::last(&server, install).await.map_err(|error| chain(&error))
}

#[cfg(not(feature = "nats"))]
async fn last_of_nats(_: NatsSettings, _: &Vault, _: &InstallId) -> Result<Option<Witnessed>, String> {
    Err("built without NATS".to_owned())
}
