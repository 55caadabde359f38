//! Talking to the engine: reaching it, the names and labels of what is ours, and what its refusals mean.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use bollard::errors::Error as Refused;
use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::{Inner, destroy, image, kept};
use crate::layout::is_name;
use crate::provider::{Error, Found};

/// The socket of an engine on this machine.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// How long the engine may take for the head of an answer, in seconds; commits of large images take long.
const ANSWER_SECONDS: u64 = 300;
/// How long an engine may take to say who it is.
const HELLO_MAX: Duration = Duration::from_secs(10);

/// Labels of what is ours on an engine.
pub(super) const OWNER: &str = "dev.regatta.owner";
pub(super) const SCOPE: &str = "dev.regatta.scope";
pub(super) const KEY: &str = "dev.regatta.key";
/// The number that outdates what was made for the same work before.
pub(super) const EPOCH: &str = "dev.regatta.epoch";
/// When everything in it is over at the latest, in seconds since the Unix epoch.
pub(super) const DEADLINE: &str = "dev.regatta.deadline";
/// The image a fork was made of, which goes with it.
pub(super) const FORKED: &str = "dev.regatta.forked";
/// The program inside, by its hash.
pub(super) const PROGRAM: &str = "dev.regatta.program";
/// Of an image built from a Dockerfile: the hash of that one.
pub(super) const BUILT_OF: &str = "dev.regatta.built-of";
/// Of an image with what a setup command made, and of what is made of it: of which repository and command.
pub(super) const WARM_OF: &str = "dev.regatta.warm-of";
/// Of a container in which an image is made: whose it is, by scope and owner.
pub(super) const PREPARING: &str = "dev.regatta.preparing";
/// Which instance makes it.
pub(super) const MAKER: &str = "dev.regatta.maker";

pub(super) async fn connect(host: Option<&str>) -> Result<Docker, Error> {
    let host = host.unwrap_or(SOCKET);
    let todo = "start it (`systemctl start docker`), or name another one by docker.host or DOCKER_HOST";
    let unusable =
        |why: String| Error::Unusable { reason: format!("the Docker engine at {host} cannot be used: {why}; {todo}") };
    let opened = match host.split_once("://") {
        Some(("unix", _)) => Docker::connect_with_unix(host, ANSWER_SECONDS, API_DEFAULT_VERSION),
        // Never in the clear where somebody asked for more.
        Some(("tcp" | "http", _)) if std::env::var_os("DOCKER_TLS_VERIFY").is_none() => {
            Docker::connect_with_http(host, ANSWER_SECONDS, API_DEFAULT_VERSION)
        }
        Some(_) | None => {
            let why = "only unix:// and tcp:// are spoken here, and no TLS: make a tunnel, as `ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`";
            return Err(unusable(why.to_owned()));
        }
    };
    let docker = opened.map_err(|error| unusable(error.to_string()))?;
    // Over some transports the version is part of every address, and an older engine refuses a newer one.
    let hello = tokio::time::timeout(HELLO_MAX, docker.negotiate_version()).await;
    hello.map_err(|_| unusable("it does not answer".to_owned()))?.map_err(|error| unusable(said(&error)))
}

/// What the engine said, without how it came.
pub(super) fn said(error: &Refused) -> String {
    if let Refused::DockerResponseServerError { message, .. } = error {
        return message.trim().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // Some say their cause themselves.
        let told = cause.to_string();
        if !text.ends_with(&told) {
            text = format!("{text}: {told}");
        }
        source = cause.source();
    }
    text
}

/// The status of a refusal.
pub(super) fn status(error: &Refused) -> Option<u16> {
    if let Refused::DockerResponseServerError { status_code, .. } = error { Some(*status_code) } else { None }
}

/// A refusal as an error of ours: what the engine will not take is refused for good, everything else may go away.
pub(super) fn failed(action: &str) -> impl Fn(Refused) -> Error + '_ {
    move |error| match status(&error) {
        Some(400) => Error::Unusable { reason: format!("failed to {action}: {}", said(&error)) },
        Some(_) | None => Error::Transient { action: action.to_owned(), source: io::Error::other(said(&error)) },
    }
}

impl Inner {
    /// The name of a sandbox's container.
    pub(super) fn container(&self, key: &str) -> Result<String, Error> {
        if is_name(key) {
            return Ok(format!("{}{key}", self.options.scope));
        }
        Err(Error::Unusable { reason: format!("`{key}` is no name of a sandbox: use a-z, 0-9 and -, at most 128") })
    }

    /// What the engine knows of a container; nothing when there is none.
    pub(super) async fn look(&self, container: &str) -> Result<Option<ContainerInspectResponse>, Error> {
        match self.docker().await?.inspect_container(container, None::<InspectContainerOptions>).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed("look at a container")(error)),
        }
    }

    /// Containers of ours, running or not, with those labels besides.
    pub(super) async fn ours(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>, Error> {
        let scope = (SCOPE, self.options.scope.as_str());
        let labels = labels.iter().chain([&scope]).map(|(name, value)| format!("{name}={value}")).collect();
        let options =
            ListContainersOptionsBuilder::new().all(true).filters(&HashMap::from([("label", labels)])).build();
        self.docker().await?.list_containers(Some(options)).await.map_err(failed("list containers"))
    }
}

impl Inner {
    /// Networks of ours with those labels besides: the id of each, and the sandbox it is for.
    pub(super) async fn networks(&self, labels: &[(&str, &str)]) -> Result<Vec<(String, String)>, Error> {
        let scope = (SCOPE, self.options.scope.as_str());
        let labels = labels.iter().chain([&scope]).map(|(name, value)| format!("{name}={value}")).collect();
        let options = ListNetworksOptionsBuilder::new().filters(&HashMap::from([("label", labels)])).build();
        let networks = self.docker().await?.list_networks(Some(options)).await.map_err(failed("list networks"))?;
        let named = networks.into_iter().filter_map(|network| Some((network.id?, network.labels?.remove(KEY)?)));
        let mut named: Vec<_> = named.collect();
        named.sort();
        Ok(named)
    }
}

/// The sandboxes of an owner, made or half made: also one of which there is a network alone. Whoever asks this looks for
/// what was left behind, so images go here that are half made, of no copy, or too many.
pub(super) async fn list(inner: &Inner, owner: &str) -> Result<Vec<Found>, Error> {
    if let Err(error) = image::remove_abandoned(inner, owner).await {
        tracing::warn!(owner, %error, "a half-made image was left");
    }
    if let Err(error) = kept::remove_abandoned(inner, owner).await {
        tracing::warn!(owner, %error, "the image of a copy that is gone was left");
    }
    inner.tidied.get_or_try_init(|| tidy(inner, owner)).await.ok();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for container in inner.ours(&[(OWNER, owner)]).await? {
        let Some(key) = container.labels.and_then(|mut labels| labels.remove(KEY)) else { continue };
        if seen.insert(key.clone()) {
            let created_at_ms = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0) * 1_000;
            found.push(Found { key, created_at_ms, disk_bytes: None, rent_usd_micros_per_hour: None });
        }
    }
    for (_, key) in inner.networks(&[(OWNER, owner)]).await? {
        if seen.insert(key.clone()) {
            found.push(Found { key, created_at_ms: 0, disk_bytes: None, rent_usd_micros_per_hour: None });
        }
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// Removes what takes room on an engine and is nobody's any more; once is enough.
async fn tidy(inner: &Inner, owner: &str) -> Result<(), Error> {
    kept::sweep(inner.docker().await?).await?;
    destroy::remove_expired(inner, owner).await
}

/// What time it is by the engine's clock, which may be another machine's, in seconds since the Unix epoch.
pub(super) async fn now_s(docker: &Docker) -> Result<i64, Error> {
    let info = docker.info().await.map_err(failed("ask the engine what time it is"))?;
    Ok(info.system_time.and_then(|at| at.parse::<jiff::Timestamp>().ok()).map_or(0, jiff::Timestamp::as_second))
}

pub(super) async fn pause(inner: &Inner, key: &str) -> Result<(), Error> {
    let container = inner.container(key)?;
    settled(inner, key, inner.docker().await?.pause_container(&container).await, true).await
}

pub(super) async fn resume(inner: &Inner, key: &str) -> Result<(), Error> {
    let container = inner.container(key)?;
    settled(inner, key, inner.docker().await?.unpause_container(&container).await, false).await
}

/// A refusal does not matter when it is as it was wanted.
async fn settled(inner: &Inner, key: &str, done: Result<(), Refused>, paused: bool) -> Result<(), Error> {
    let Err(error) = done else { return Ok(()) };
    let found = inner.look(&inner.container(key)?).await?.ok_or_else(|| Error::Missing(format!("sandbox {key}")))?;
    if found.state.and_then(|state| state.paused) == Some(paused) {
        return Ok(());
    }
    Err(failed(if paused { "pause a sandbox" } else { "resume a sandbox" })(error))
}
