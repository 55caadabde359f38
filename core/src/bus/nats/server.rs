//! The way to a NATS server: address, credentials, certificates. Secrets come from where the configuration says and are
//! shown nowhere.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::{ConnectOptions, Event};
use percent_encoding::percent_decode_str;
use tokio::sync::watch;

use super::{Error, STREAM, SUBJECTS, nats};
use crate::bus::redacted;
use crate::vault::{Credential, ExposeSecret as _, Vault};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take, before the connection counts as lost.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often a quiet connection is asked whether it still lives.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long the server remembers ids. It only has to cover what an old connection may still bring after a new one has
/// looked: everything else is known from the stream itself. Longer costs the server memory per event.
const DUPLICATES_WINDOW: Duration = Duration::from_secs(30);
/// Messages the client holds before it writes them.
const CLIENT_CAPACITY: usize = 8_192;

/// How to reach NATS.
#[derive(Clone, Default)]
pub struct Server {
    /// `nats://host:4222`, several with commas, `tls://…` for TLS. May hold `user:password@` or `token@` before the host,
    /// with `%40` and the like for what has a meaning in addresses.
    pub url: String,
    /// What a `.creds` file holds: JWT and seed.
    pub credentials: Option<Credential>,
    /// An nkey seed.
    pub nkey: Option<Credential>,
    /// Where secrets come from that those name.
    pub vault: Option<Vault>,
    /// A file with the certificates of authorities to trust, besides the machine's.
    pub tls_ca: Option<PathBuf>,
    /// Files with our own certificate and its key.
    pub tls_identity: Option<(PathBuf, PathBuf)>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.shown()).finish_non_exhaustive()
    }
}

/// One connection. It never connects again by itself: what was under way would be lost silently.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) context: jetstream::Context,
    lost: watch::Receiver<bool>,
}

impl Server {
    /// The address without secrets.
    #[must_use]
    pub fn shown(&self) -> String {
        redacted(&self.url)
    }

    /// Connects once.
    pub(super) async fn connect(&self, in_flight_max: usize) -> Result<Connection, Error> {
        let (lost, watched) = watch::channel(false);
        let (addresses, login) = addresses(&self.url);
        let options = match login {
            Some(Login { user, password: Some(password) }) => self.options().await?.user_and_password(user, password),
            // As every client of NATS takes it.
            Some(Login { user: token, password: None }) => self.options().await?.token(token),
            None => self.options().await?,
        };
        let options = options.event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed | Event::LameDuckMode) {
                lost.send_replace(true);
            }
            std::future::ready(())
        });
        let client = options.connect(addresses).await.map_err(nats("connect to NATS"))?;
        let context = ContextBuilder::new().timeout(ANSWER_MAX).max_ack_inflight(in_flight_max).build(client);
        Ok(Connection { context, lost: watched })
    }

    async fn options(&self) -> Result<ConnectOptions, Error> {
        let mut options = ConnectOptions::new()
            .name("regatta")
            .connection_timeout(CONNECT_MAX)
            .request_timeout(Some(ANSWER_MAX))
            .ping_interval(PING_EVERY)
            .client_capacity(CLIENT_CAPACITY)
            .read_buffer_capacity(u16::MAX)
            .max_reconnects(1);
        if let Some(credential) = &self.credentials {
            let text = credential.read(self.vault.as_ref(), "nats.credentials").await?;
            let wrong = |_| unfit(credential, "it holds no credentials (expected what `nsc generate creds` writes)");
            options = options.credentials(text.expose_secret()).map_err(wrong)?;
        }
        if let Some(credential) = &self.nkey {
            let text = credential.read(self.vault.as_ref(), "nats.nkey").await?;
            let seed = text.expose_secret().lines().map(str::trim).find(|line| line.starts_with('S'));
            options = options.nkey(seed.ok_or_else(|| unfit(credential, "it holds no nkey seed (SU…)"))?.to_owned());
        }
        if let Some(path) = &self.tls_ca {
            options = options.add_root_certificates(path.clone()).require_tls(true);
        }
        if let Some((certificate, key)) = &self.tls_identity {
            options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
        }
        Ok(options)
    }
}

impl Connection {
    /// The stream, made when it is missing.
    pub(super) async fn stream(&self) -> Result<Stream, Error> {
        let config = Config {
            name: STREAM.to_owned(),
            description: Some("every event of Regatta's logs".to_owned()),
            subjects: vec![SUBJECTS.to_owned()],
            duplicate_window: DUPLICATES_WINDOW,
            allow_direct: true,
            ..Config::default()
        };
        let made = self.context.get_or_create_stream(config).await;
        made.map_err(nats("open the stream REGATTA_EVENTS"))
    }

    /// Does something as long as the connection holds.
    pub(super) async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut lost = self.lost.clone();
        tokio::select! {
            biased;
            done = work => Ok(done),
            // An error means that the connection's own task is gone.
            _ = lost.wait_for(|lost| *lost) => Err(Error::Lost),
        }
    }
}

/// What stands before an `@`: a user and a password, or a token.
struct Login {
    user: String,
    password: Option<String>,
}

/// The addresses without logins, which nobody shall see in an error, and the first login: the client has one for all.
fn addresses(url: &str) -> (Vec<String>, Option<Login>) {
    let mut login = None;
    let bare = url.split(',').map(str::trim).map(|address| {
        let (scheme, rest) = address.split_once("://").unwrap_or(("nats", address));
        let Some((said, host)) = rest.rsplit_once('@') else { return address.to_owned() };
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = said.split_once(':').map_or((said, None), |(user, password)| (user, Some(password)));
        login.get_or_insert_with(|| Login { user: plain(user), password: password.map(plain) });
        format!("{scheme}://{host}")
    });
    (bare.collect(), login)
}

/// A credential that is not what it should be.
fn unfit(credential: &Credential, reason: &'static str) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, reason);
    Error::File { path: PathBuf::from(credential.to_string()), source }
}
