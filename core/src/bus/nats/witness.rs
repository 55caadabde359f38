//! A witness in NATS: a stream of its own that takes chain heads and lets none go. Reads and publishes; compares nothing.

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};
use futures_util::StreamExt as _;

use super::server::{Connection, Server};
use super::{Error, nats};
use crate::InstallId;
use crate::log::witness::Witnessed;

/// The JetStream stream that holds what was witnessed of every install.
pub const WITNESS_STREAM: &str = "REGATTA_WITNESS";
/// What it listens to.
const WITNESS_SUBJECTS: &str = "regatta.*.witness";
/// Messages asked for at once.
const PULL_MESSAGES: usize = 512;

fn subject(install: &InstallId) -> String {
    format!("regatta.{install}.witness")
}

/// Tells the witness; it has it when this returns.
///
/// # Errors
/// When the server does not take it.
pub async fn tell(server: &Server, said: &Witnessed) -> Result<(), Error> {
    let connection = server.connect(1).await?;
    connection.hold(Box::pin(told(&connection, said))).await?
}

/// What the witness has heard of an install last, when it has heard of it.
///
/// # Errors
/// When there is no server, or the last message is none of ours.
pub async fn last(server: &Server, install: &InstallId) -> Result<Option<Witnessed>, Error> {
    let connection = server.connect(1).await?;
    connection.hold(Box::pin(read_last(&connection, install))).await?
}

async fn read_last(connection: &Connection, install: &InstallId) -> Result<Option<Witnessed>, Error> {
    let message = match made(connection).await?.get_last_raw_message_by_subject(&subject(install)).await {
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
        message => message.map_err(nats("read the witness"))?,
    };
    said(message.sequence, &message.payload).map(Some)
}

fn said(at: u64, payload: &[u8]) -> Result<Witnessed, Error> {
    serde_json::from_slice(payload).map_err(|error| Error::Disordered(format!("message {at} of the witness: {error}")))
}

/// The stream, made when there is none.
async fn made(connection: &Connection) -> Result<Stream, Error> {
    let config = Config {
        name: WITNESS_STREAM.to_owned(),
        description: Some("where Regatta's logs stood, from time to time".to_owned()),
        subjects: vec![WITNESS_SUBJECTS.to_owned()],
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    };
    connection.context.get_or_create_stream(config).await.map_err(nats("open the stream REGATTA_WITNESS"))
}

async fn told(connection: &Connection, said: &Witnessed) -> Result<(), Error> {
    made(connection).await?;
    let context = &connection.context;
    let body = serde_json::to_vec(said).map_err(nats("write a chain head"))?;
    let sent = context.publish(subject(&said.install), body.into()).await.map_err(nats("tell the witness"))?;
    sent.await.map_err(nats("tell the witness"))?;
    Ok(())
}

/// Everything the witness has heard of an install.
///
/// # Errors
/// When there is no server or no such stream, or a message is none of ours.
pub async fn heard(server: &Server, install: &InstallId) -> Result<Vec<Witnessed>, Error> {
    let connection = server.connect(1).await?;
    connection.hold(Box::pin(read(&connection, install))).await?
}

async fn read(connection: &Connection, install: &InstallId) -> Result<Vec<Witnessed>, Error> {
    let stream = connection.context.get_stream(WITNESS_STREAM).await;
    let stream = stream.map_err(nats("find the stream REGATTA_WITNESS"))?;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::None,
        filter_subject: subject(install),
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(nats("read the witness"))?;
    let mut left = consumer.cached_info().num_pending;
    let messages = consumer.stream().max_messages_per_batch(PULL_MESSAGES).messages().await;
    let mut messages = messages.map_err(nats("read the witness"))?;
    let mut heard = Vec::new();
    while left > 0 {
        let message = messages.next().await.ok_or(Error::Lost)?.map_err(nats("read the witness"))?;
        let place = message.info().map_err(|error| Error::Disordered(error.to_string()))?;
        let (pending, at) = (place.pending, place.stream_sequence);
        let said = said(at, &message.payload)?;
        if said.install == *install {
            heard.push(said);
        }
        left = pending;
    }
    Ok(heard)
}
