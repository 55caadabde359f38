//! Tells the witnesses where the log stands, on a schedule and at the end. A witness that cannot be told is said once
//! and tried again; it never stops the server.

use std::path::Path;

use regatta_core::log::witness::{WitnessState, Witnessed, read_file};
use regatta_core::{Clock as _, DurableLog, InstallId, Log as _, Seq, SystemClock, Vault};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, NatsSettings, WitnessSettings};
use crate::failure::{Failure, chain};

/// Tells, until it is told to stop.
struct Telling {
    settings: WitnessSettings,
    nats: Option<NatsSettings>,
    log: DurableLog,
    vault: Vault,
    install: InstallId,
    told: watch::Sender<Vec<WitnessState>>,
}

/// Witnesses being told.
pub(super) struct Witnessing {
    pub(super) task: JoinHandle<()>,
    /// How it goes with each of them; nothing without any.
    pub(super) told: Option<watch::Receiver<Vec<WitnessState>>>,
}

/// Their names.
const FILE: &str = "witness.file";
const STREAM: &str = "witness.nats";

/// Starts telling, when the configuration names a witness.
pub(super) fn start(
    data_dir: &Path,
    config: &Config,
    log: &DurableLog,
    vault: &Vault,
    install: InstallId,
    stop: CancellationToken,
) -> Result<Witnessing, Failure> {
    let settings = config.witness();
    let nats = if settings.nats { Some(nats(config)?) } else { None };
    if settings.file.is_none() && nats.is_none() {
        return Ok(Witnessing { task: tokio::spawn(std::future::ready(())), told: None });
    }
    if let Some(path) = &settings.file {
        let path = std::path::absolute(path)?;
        if path.starts_with(data_dir) {
            return Err(Failure::usage(format!("witness.file {} is inside the data directory", path.display())).hint(
                "name a file elsewhere: whoever can change the log must not be able to change what it is compared with",
            ));
        }
        look_back(&path, log, &install);
    }
    let named = [settings.file.as_ref().map(|_| FILE), nats.as_ref().map(|_| STREAM)];
    let (told, seen) = watch::channel(named.into_iter().flatten().map(WitnessState::of).collect());
    let (log, vault) = (log.clone(), vault.clone());
    let telling = Telling { settings, nats, log, vault, install, told };
    Ok(Witnessing { task: tokio::spawn(telling.run(stop)), told: Some(seen) })
}

fn nats(config: &Config) -> Result<NatsSettings, Failure> {
    if cfg!(not(feature = "nats")) {
        return Err(Failure::usage("this regatta was built without NATS").hint("unset witness.nats"));
    }
    config.nats()?.ok_or_else(|| {
        Failure::usage("witness.nats is on, but there is no nats.url").hint("name the server, or unset witness.nats")
    })
}

/// A log that ends before what its witness heard was shortened, or is an older copy.
fn look_back(path: &Path, log: &DurableLog, install: &InstallId) {
    let heard = match read_file(path, install) {
        Ok(heard) => heard,
        Err(error) => return tracing::debug!(error = chain(&error), "the witness has nothing to say yet"),
    };
    let head = log.head();
    if let Some(said) = heard.last().filter(|said| said.seq > head) {
        let reason = "run `regatta log verify --witness` to see where they part";
        tracing::error!(witnessed = %said.seq, %head, reason, "the log ends before what its witness has heard");
    }
}

impl Telling {
    async fn run(self, stop: CancellationToken) {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(self.settings.every)).await.is_none();
            self.tell().await;
            if stopped {
                return;
            }
        }
    }

    async fn tell(&self) {
        let Some(said) = Witnessed::now(&self.log, &self.install, SystemClock.now_us()) else { return };
        if let Some(path) = self.settings.file.clone().filter(|_| self.is_news(FILE, said.seq)) {
            let line = said.clone();
            let told = tokio::task::spawn_blocking(move || line.add_to(&path)).await;
            let told = told.map_err(|error| error.to_string()).and_then(|told| told.map_err(|error| chain(&error)));
            self.heard(FILE, &said, told);
        }
        if let Some(settings) = self.nats.clone().filter(|_| self.is_news(STREAM, said.seq)) {
            let told = tell_nats(settings, &self.vault, &said).await;
            self.heard(STREAM, &said, told);
        }
    }

    fn is_news(&self, witness: &str, seq: Seq) -> bool {
        self.told.borrow().iter().any(|known| known.name == witness && known.heard < seq)
    }

    /// What came of telling one. A reason is logged once, not at every try.
    fn heard(&self, witness: &str, said: &Witnessed, told: Result<(), String>) {
        self.told.send_modify(|all| {
            let Some(state) = all.iter_mut().find(|known| known.name == witness) else { return };
            match told {
                Ok(()) => {
                    if state.failed.take().is_some() {
                        tracing::info!(witness, seq = %said.seq, "the witness hears again");
                    }
                    (state.heard, state.heard_at_us) = (said.seq, Some(said.at_us));
                }
                Err(reason) if state.failed.as_ref() == Some(&reason) => {}
                Err(reason) => {
                    tracing::warn!(
                        witness,
                        reason,
                        "the witness cannot be told where the log stands; it is tried again"
                    );
                    state.failed = Some(reason);
                }
            }
        });
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
