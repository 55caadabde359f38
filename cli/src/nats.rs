//! NATS as the configuration names it. Nothing here knows what is published.

use regatta_core::bus::redacted;

use crate::failure::Failure;

/// Refuses an address with a password on the command line, where everybody on the machine can read it.
pub(crate) fn without_secret(flag: &str, url: Option<&str>) -> Result<(), Failure> {
    match url.filter(|url| url.contains('@')) {
        None => Ok(()),
        Some(url) => Err(Failure::usage(format!("{flag} {} has a password in it", redacted(url))).hint(
            "write the address into regatta.toml as nats.url or into REGATTA_NATS_URL, or name a credentials file",
        )),
    }
}

#[cfg(feature = "nats")]
pub(crate) use with::{of_command, server};

#[cfg(feature = "nats")]
mod with {
    use regatta_core::Vault;
    use regatta_core::bus::nats::Server;
    use regatta_core::bus::redacted;

    use super::without_secret;
    use crate::config::{self, Config, NatsSettings, Written};
    use crate::context::Context;
    use crate::failure::Failure;

    /// The way to the server.
    pub(crate) fn server(settings: NatsSettings, vault: Option<Vault>) -> Server {
        let NatsSettings { url, credentials, nkey, tls_ca, tls_identity } = settings;
        Server { url, credentials, nkey, vault, tls_ca, tls_identity }
    }

    /// Addresses without what stands before an `@`.
    fn without_logins(url: &str) -> String {
        redacted(url).replace("***@", "")
    }

    /// The way to the server a command names; credentials come from the configuration.
    pub(crate) fn of_command(context: &Context, flag: &'static str, url: &str) -> Result<Server, Failure> {
        without_secret(flag, Some(url))?;
        // The configured server, whose address may hold a password that must not stand on a command line.
        let configured = Config::of_server(&context.data_dir, Vec::new())?.nats()?;
        if let Some(settings) = configured.filter(|settings| without_logins(&settings.url) == url) {
            return Ok(server(settings, None));
        }
        let layer = config::flag("nats.url", flag, Some(Written::One(url.to_owned())))?;
        let settings = Config::of_server(&context.data_dir, vec![layer])?.nats()?;
        settings.map(|settings| server(settings, None)).ok_or_else(|| Failure::usage(format!("{flag} names no server")))
    }
}

/// What this program cannot do.
#[cfg(not(feature = "nats"))]
pub(crate) fn absent() -> Failure {
    Failure::usage("this regatta was built without NATS").hint("build it with its default features")
}
