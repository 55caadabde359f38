//! What a container really is kept in by, read back from the engine: an older one ignores what it does not know.

use bollard::models::HostConfig;

use super::{Inner, Network, image};
use crate::provider::Error;

/// Nothing but the sandbox's own folder and what is in memory can be written.
const READ_ONLY: &str = "read-only root";

/// Whether sandboxes can be made now, and behind what.
pub(super) async fn probe(inner: &Inner) -> Result<String, Error> {
    let docker = inner.docker().await?;
    let info = docker.info().await.map_err(super::engine::failed("ask the engine what it is"))?;
    if let Some(runtime) = &inner.options.runtime {
        let known = info.runtimes.unwrap_or_default();
        if !known.contains_key(runtime) {
            let mut known: Vec<_> = known.into_keys().collect();
            known.sort();
            let reason =
                format!("the engine has no runtime {runtime}; set docker.runtime to one it has: {}", known.join(", "));
            return Err(Error::Unusable { reason });
        }
    }
    // Whoever only asks changes nothing: the image is built and prepared for the first sandbox.
    image::check(inner, docker).await?;
    let runtime = inner.options.runtime.clone().or(info.default_runtime).unwrap_or_else(|| "runc".to_owned());
    let has = |what: &str| info.security_options.iter().flatten().any(|option| option.contains(what));
    let network = match inner.options.network {
        Network::None => "none",
        Network::Internal => "internal",
        Network::Bridge => "bridge",
    };
    let mut words = vec![runtime, "no capabilities".to_owned(), "no new privileges".to_owned()];
    words.extend(inner.options.read_only.then(|| READ_ONLY.to_owned()));
    words.extend(["seccomp", "apparmor", "rootless"].into_iter().filter(|what| has(what)).map(str::to_owned));
    words.push(format!("network {network}"));
    Ok(format!("docker ({})", words.join(", ")))
}

/// The fence around a container, for people.
pub(super) fn of(config: &HostConfig) -> String {
    let options = config.security_opt.clone().unwrap_or_default();
    let dropped = config.cap_drop.iter().flatten().any(|capability| capability.eq_ignore_ascii_case("all"));
    let mut words =
        vec![config.runtime.clone().filter(|runtime| !runtime.is_empty()).unwrap_or_else(|| "runc".to_owned())];
    if dropped && config.privileged != Some(true) {
        words.push("no capabilities".to_owned());
    }
    if options.iter().any(|option| option.starts_with("no-new-privileges")) {
        words.push("no new privileges".to_owned());
    }
    if config.privileged != Some(true) && !options.iter().any(|option| option == "seccomp=unconfined") {
        words.push("seccomp".to_owned());
    }
    if config.readonly_rootfs == Some(true) {
        words.push(READ_ONLY.to_owned());
    }
    let network = config.network_mode.clone().unwrap_or_default();
    let network = if is_own_network(&network) { "internal".to_owned() } else { network };
    words.push(format!("network {network}"));
    format!("docker ({})", words.join(", "))
}

/// Whether a container's network is one of its own; such a one is named by its id.
pub(super) fn is_own_network(network: &str) -> bool {
    !matches!(network, "" | "none" | "bridge" | "host" | "default")
}
