//! NATS JetStream, a server of its own on the same disk: as it comes (which acknowledges before it syncs), and syncing
//! always (which servers before 2.10 cannot).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use bytes::Bytes;

use super::super::load::{Engine, Turns};
use crate::Outcome;

/// When the server writes through to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Every two minutes, which is what it comes with.
    AsItComes,
    /// Before each acknowledgement.
    Synced,
}

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(20);

/// A running server and a stream on it. Dropping it stops the server.
pub(crate) struct Jetstream {
    server: Child,
    settings: PathBuf,
    context: Option<Context>,
    /// Nothing until there is something to append to.
    records: Option<Turns<Bytes>>,
    url: String,
}

/// `NATS_SERVER`, or what is installed.
pub(crate) fn program() -> PathBuf {
    let installed = || PathBuf::from("/usr/sbin/nats-server");
    std::env::var_os("NATS_SERVER").map_or_else(
        || Some(installed()).filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("nats-server")),
        PathBuf::from,
    )
}

fn spawn(settings: &Path) -> Outcome<Child> {
    let mut command = Command::new(program());
    command.arg("-c").arg(settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.spawn().map_err(|error| format!("failed to start nats-server: {error}"))?)
}

impl Jetstream {
    /// Starts a server with an empty store below `dir`.
    pub(crate) async fn serve(dir: &Path, durable: Durable) -> Outcome<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let store = dir.join("jetstream");
        let sync = if durable == Durable::Synced { "sync_interval: always" } else { "" };
        let settings = dir.join("nats.conf");
        let text = format!(
            "listen: 127.0.0.1:{port}\njetstream {{\n store_dir: {:?}\n {sync}\n}}\n",
            store.display().to_string()
        );
        std::fs::write(&settings, text)?;
        let (server, url) = (spawn(&settings)?, format!("nats://127.0.0.1:{port}"));
        let mut jetstream = Self { server, settings, context: None, records: None, url };
        let client = jetstream.connect().await?;
        jetstream.context = Some(jetstream::new(client));
        Ok(jetstream)
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again where it was, with what it kept.
    pub(crate) async fn again(&mut self) -> Outcome<()> {
        self.server = spawn(&self.settings)?;
        self.connect().await.map(drop)
    }

    /// The same with a stream to append to.
    pub(crate) async fn start(dir: &Path, durable: Durable, payload_bytes: usize) -> Outcome<Self> {
        let mut jetstream = Self::serve(dir, durable).await?;
        jetstream.records = Some(super::records(payload_bytes));
        jetstream.with_stream().await?;
        Ok(jetstream)
    }

    /// The way to the server, once it has a stream for `events.>`.
    pub(crate) async fn with_stream(&self) -> Outcome<&Context> {
        let config = jetstream::stream::Config {
            name: "EVENTS".to_owned(),
            subjects: vec!["events.>".to_owned()],
            ..Default::default()
        };
        let context = self.context.as_ref().ok_or("not connected")?;
        context.create_stream(config).await?;
        Ok(context)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn connect(&mut self) -> Outcome<async_nats::Client> {
        let since = Instant::now();
        loop {
            match async_nats::connect(&self.url).await {
                Ok(client) => return Ok(client),
                Err(error) if since.elapsed() > START_MAX => return Err(error.into()),
                Err(_) => {}
            }
            if let Some(ended) = self.server.try_wait()? {
                return Err(format!("nats-server ended at once, with {ended}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Engine for Jetstream {
    async fn append(&self, producer: usize) -> Outcome<()> {
        let context = self.context.as_ref().ok_or("not connected")?;
        let record = self.records.as_ref().ok_or("nothing to append")?.next()?.clone();
        context.publish(format!("events.{producer}"), record).await?.await?;
        Ok(())
    }
}

impl Drop for Jetstream {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}
