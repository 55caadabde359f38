//! Sandboxes and source control as the configuration wants them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use regatta_core::log::DurableLog;
use regatta_core::{Clock, Log, SystemClock, Vault};
use regatta_dispatcher::repository::Repositories;
use regatta_federation::Gateways;
use regatta_sandboxes::local::{Fence as Walls, Options};
use regatta_sandboxes::{DockerProvider, LocalProvider, Provider};
use regatta_sessions::GatewayProvider;

use super::elsewhere;
use super::folder::SANDBOXES;
use crate::config::{Config, Fence};
use crate::failure::{Failure, chain};

/// The folder beside the workspaces of attempts at gateways, with their sessions.
const SEATS: &str = "sessions";

/// Every provider, by name.
pub(super) async fn providers(
    data_dir: &Path,
    config: &Config,
    (vault, gateways, log): (&Vault, &Gateways, &DurableLog),
) -> Result<BTreeMap<String, Arc<dyn Provider>>, Failure> {
    let (runner, settings) = (std::env::current_exe()?, config.server());
    let fence = match settings.fence {
        Fence::Auto => Walls::Auto,
        Fence::Bubblewrap => Walls::Bubblewrap,
        Fence::Landlock => Walls::Landlock,
    };
    let mut hide = settings.hide.clone();
    // The log holds every prompt and every other attempt's output; what a sandbox needs of the folder is shown to it.
    hide.push(data_dir.to_owned());
    let options = |name: &str| Options {
        root: data_dir.join(SANDBOXES).join(name),
        runner: runner.clone(),
        fence,
        hide: hide.clone(),
        read: settings.read.clone(),
    };
    let caused = |error: regatta_sandboxes::Error| Failure::caused("failed to open the sandboxes", &error);
    let local: Arc<dyn Provider> = Arc::new(LocalProvider::new(options("local")).map_err(caused)?);
    let host: Arc<dyn Provider> = Arc::new(LocalProvider::host(options("host")).map_err(caused)?);
    // Whether there is an engine is seen when one is needed: it may come later.
    let docker: Arc<dyn Provider> = Arc::new(DockerProvider::new(config.docker(&runner)));
    let vendors = elsewhere::vendors(config, Some(vault))?;
    let workspaces: Arc<dyn Provider> = Arc::new(LocalProvider::new(options(regatta_sessions::NAME)).map_err(caused)?);
    let (caps, after) = config.gateway()?;
    let quiet = regatta_sessions::Options::QUIET;
    let seats = regatta_sessions::Options { root: data_dir.join(SANDBOXES).join(SEATS), caps, after, quiet };
    let record: (Arc<dyn Log>, Arc<dyn Clock>) = (Arc::new(log.clone()), Arc::new(SystemClock));
    let gateway = GatewayProvider::open(seats, workspaces, gateways.clone(), record).await;
    let gateway = gateway.map_err(|error| Failure::caused("failed to take up the gateways' sessions", &error))?;
    let gateway: Arc<dyn Provider> = Arc::new(gateway);
    let all = [local, host, docker, gateway].into_iter().chain(vendors);
    Ok(all.map(|provider| (provider.name().to_owned(), provider)).collect())
}

/// The fence a local sandbox made now would have, or why there is none.
pub(super) async fn fence(providers: &BTreeMap<String, Arc<dyn Provider>>) -> String {
    let Some(local) = providers.get("local") else { return "none".to_owned() };
    match local.probe().await {
        Ok(fence) => fence,
        Err(error) => {
            let reason = chain(&error);
            tracing::warn!(reason, "local sandboxes cannot be fenced; they will be refused");
            format!("unusable: {reason}")
        }
    }
}

/// Git, with our own folders for mirrors.
pub(super) fn repositories(data_dir: &Path) -> Result<Repositories, Failure> {
    Repositories::open(data_dir).map_err(|error| Failure::caused("failed to open the mirrors", &error))
}
