//! The relay to NATS, when the configuration wants one. An outage of NATS never stops the server.

use std::path::Path;

use regatta_core::bus::RelayState;
use regatta_core::{DurableLog, Vault};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::Failure;

/// A relay at work, or nothing.
pub(super) struct Relaying {
    pub(super) state: Option<watch::Receiver<RelayState>>,
    pub(super) task: JoinHandle<()>,
}

/// Starts the relay.
pub(super) fn start(
    data_dir: &Path,
    config: &Config,
    log: &DurableLog,
    vault: &Vault,
    stop: CancellationToken,
) -> Result<Relaying, Failure> {
    match config.nats()? {
        None => Ok(Relaying { state: None, task: tokio::spawn(std::future::ready(())) }),
        Some(settings) => relay(data_dir, settings, log, vault, stop),
    }
}

#[cfg(feature = "nats")]
fn relay(
    data_dir: &Path,
    settings: crate::config::NatsSettings,
    log: &DurableLog,
    vault: &Vault,
    stop: CancellationToken,
) -> Result<Relaying, Failure> {
    use regatta_core::SystemClock;
    use regatta_core::bus::nats::Relay;
    use regatta_core::log::install_id;

    let install =
        install_id(data_dir, &SystemClock).map_err(|error| Failure::caused("failed to name this install", &error))?;
    let (relay, state) = Relay::new(log.clone(), install, crate::nats::server(settings, Some(vault.clone())))
        .map_err(|error| Failure::caused("failed to begin the relay to NATS", &error))?;
    let task = tokio::spawn(relay.run(stop.cancelled_owned()));
    Ok(Relaying { state: Some(state), task })
}

#[cfg(not(feature = "nats"))]
fn relay(
    _: &Path,
    _: crate::config::NatsSettings,
    _: &DurableLog,
    _: &Vault,
    _: CancellationToken,
) -> Result<Relaying, Failure> {
    Err(crate::nats::absent())
}
