//! Tells the witnesses where the log stands, on a schedule and at the end. A witness that cannot be told is said once
//! and tried again; it never stops the server.

use std::path::Path;

use regatta_core::log::witness::{Witnessed, read_file};
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
    file: Told,
    stream: Told,
    /// Up to where every witness has heard.
    heard: watch::Sender<Seq>,
}

/// Witnesses being told.
pub(super) struct Witnessing {
    pub(super) task: JoinHandle<()>,
    /// Up to where every witness has heard since the start; nothing without any.
    pub(super) heard: Option<watch::Receiver<Seq>>,
}

/// What one witness has heard.
#[derive(Default)]
struct Told {
    upto: Seq,
    /// Why it could not be told last time.
    failed: Option<String>,
}

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
        return Ok(Witnessing { task: tokio::spawn(std::future::ready(())), heard: None });
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
    let (heard, seen) = watch::channel(Seq(0));
    let (file, stream) = (Told::default(), Told::default());
    let (log, vault) = (log.clone(), vault.clone());
    let telling = Telling { settings, nats, log, vault, install, file, stream, heard };
    Ok(Witnessing { task: tokio::spawn(telling.run(stop)), heard: Some(seen) })
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
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(self.settings.every)).await.is_none();
            self.tell().await;
            if stopped {
                return;
            }
        }
    }

    async fn tell(&mut self) {
        let Some(said) = Witnessed::now(&self.log, &self.install, SystemClock.now_us()) else { return };
        if let Some(path) = self.settings.file.clone().filter(|_| self.file.upto < said.seq) {
            let line = said.clone();
            let told = tokio::task::spawn_blocking(move || line.add_to(&path)).await;
            let told = told.map_err(|error| error.to_string()).and_then(|told| told.map_err(|error| chain(&error)));
            self.file.heard(said.seq, told, "witness.file");
        }
        if let Some(settings) = self.nats.clone().filter(|_| self.stream.upto < said.seq) {
            let told = tell_nats(settings, &self.vault, &said).await;
            self.stream.heard(said.seq, told, "witness.nats");
        }
        let file = self.settings.file.as_ref().map(|_| self.file.upto);
        let stream = self.nats.as_ref().map(|_| self.stream.upto);
        self.heard.send_replace(file.into_iter().chain(stream).min().unwrap_or_default());
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

impl Told {
    fn heard(&mut self, seq: Seq, told: Result<(), String>, witness: &str) {
        match told {
            Ok(()) => {
                if self.failed.take().is_some() {
                    tracing::info!(witness, %seq, "the witness hears again");
                }
                self.upto = seq;
            }
            Err(reason) if self.failed.as_ref() == Some(&reason) => {}
            Err(reason) => {
                tracing::warn!(witness, reason, "the witness cannot be told where the log stands; it is tried again");
                self.failed = Some(reason);
            }
        }
    }
}
