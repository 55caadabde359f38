//! Who makes sandboxes outside this machine's own folders: an engine and vendors, as the configuration wants them, and what
//! they say when they are asked whether they could.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use regatta_core::Vault;
use regatta_core::vault::Credential;
use regatta_sandboxes::{DaytonaProvider, DockerProvider, E2bProvider, KeySource, Provider, docker};

use crate::config::{Config, Vendor};
use crate::failure::{Failure, chain};
use crate::terminal::numbers::{bytes, counted};

/// The socket of an engine on this machine.
const SOCKET: &str = "/var/run/docker.sock";

/// How long one may take to say whether it can be used.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// What a provider said: the fence there would be, or what is wrong and what to do.
pub(crate) type Told = Result<String, (String, String)>;

/// The vendors for whose accounts there is a key.
pub(super) fn vendors(config: &Config, vault: Option<&Vault>) -> Result<Vec<Arc<dyn Provider>>, Failure> {
    let named = Vendor::ALL.into_iter().filter_map(|vendor| Some((vendor, config.vendor_key(vendor)?)));
    named.map(|(vendor, credential)| make(config, vendor, key(credential, vendor, vault))).collect()
}

fn make(config: &Config, vendor: Vendor, key: KeySource) -> Result<Arc<dyn Provider>, Failure> {
    let name = vendor.name();
    let caused = |error: regatta_sandboxes::Error| Failure::caused(format!("{name} cannot be used"), &error);
    Ok(match vendor {
        Vendor::E2b => Arc::new(E2bProvider::new(config.e2b(key)?).map_err(caused)?),
        Vendor::Daytona => Arc::new(DaytonaProvider::new(config.daytona(key)?).map_err(caused)?),
    })
}

/// Reads a key anew whenever it is asked for, so that another one is in force at once.
fn key(credential: Credential, vendor: Vendor, vault: Option<&Vault>) -> KeySource {
    let (vault, setting) = (vault.cloned(), format!("{}.key", vendor.name()));
    Arc::new(move || {
        let (credential, vault, setting) = (credential.clone(), vault.clone(), setting.clone());
        async move { credential.read(vault.as_ref(), &setting).await.map_err(|error| chain(&error)) }.boxed()
    })
}

/// Asks the Docker engine; nothing when nobody wants one and there is none.
pub(crate) async fn ask_docker(config: &Config) -> Option<Told> {
    if !config.is_said("docker") && !Path::new(SOCKET).exists() {
        return None;
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Some(Err((error.to_string(), "start it by its path".to_owned()))),
    };
    let provider = DockerProvider::new(config.docker(&program));
    let told = ask(&provider).await;
    // What it keeps is told where it can be used; whoever cannot be asked has said why.
    match (told, tokio::time::timeout(ANSWER_MAX, provider.kept()).await) {
        (Ok(fence), Ok(Ok(Some(kept)))) => {
            let (images, days) = (counted(kept.count, "image"), docker::AGE_MAX.as_secs() / (24 * 3_600));
            let bound = format!("at most {} of a kind and {days} days", docker::KEPT_MAX);
            Some(Ok(format!("{fence}; {images} of ours kept ({}), {bound}", bytes(kept.bytes))))
        }
        (told, _) => Some(told),
    }
}

/// Asks the vendors for whose accounts there is a key, all at once. One whose key only the vault has says nothing without it.
pub(crate) async fn ask_vendors(config: &Config, vault: Option<&Vault>) -> Vec<(Vendor, Option<Told>)> {
    let named = Vendor::ALL.into_iter().filter_map(|vendor| Some((vendor, config.vendor_key(vendor)?)));
    let asked = named.map(|(vendor, credential)| async move {
        if vault.is_none() && matches!(credential, Credential::Secret(_)) {
            return (vendor, None);
        }
        let told = match make(config, vendor, key(credential, vendor, vault)) {
            Ok(provider) => ask(&*provider).await,
            Err(failure) => Err((failure.message, failure.hint.unwrap_or_else(|| "correct it".to_owned()))),
        };
        (vendor, Some(told))
    });
    join_all(asked).await
}

async fn ask(provider: &dyn Provider) -> Told {
    let Ok(probed) = tokio::time::timeout(ANSWER_MAX, provider.probe()).await else {
        let silent = format!("no answer within {} s", ANSWER_MAX.as_secs());
        return Err((silent, "see whether this machine reaches it".to_owned()));
    };
    probed.map_err(|error| {
        let said = chain(&error);
        // What to do stands behind what is wrong.
        match said.rsplit_once("; ") {
            Some((wrong, todo)) => (wrong.to_owned(), todo.to_owned()),
            None => (said, "ask again; when it stays so, what it says is all there is".to_owned()),
        }
    })
}
