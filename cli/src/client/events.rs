//! Following the log: server-sent events with a cursor. A broken connection is taken up again after the last event
//! seen, so the caller sees every event once.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use regatta_core::Seq;
use regatta_http::{EventBody, Problem};

use super::Client;
use crate::failure::{Exit, Failure};

/// Longest line of a stream: the largest payload, escaped.
const LINE_BYTES_MAX: usize = 64 << 20;
/// Connections tried in a row before giving up; the server may be starting again.
const RECONNECTS_MAX: u32 = 40;
/// Pause between two of them.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// One follower's place.
pub(crate) struct Events {
    client: Client,
    /// Filters, and `from` for the first connection.
    query: String,
    last: Option<Seq>,
    body: Option<Incoming>,
    buffer: Lines,
}

/// Bytes that came and are no whole line yet.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    taken: usize,
}

impl Lines {
    fn push(&mut self, bytes: &Bytes) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.taken..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(rest.get(..length)?).trim_end_matches('\r').to_owned();
        self.taken += length + 1;
        Some(line)
    }
}

impl Events {
    pub(super) fn new(client: Client, query: String) -> Self {
        Self { client, query, last: None, body: None, buffer: Lines::default() }
    }

    /// The next event; waits for it.
    pub(crate) async fn next(&mut self) -> Result<EventBody, Failure> {
        loop {
            while let Some(line) = self.buffer.next() {
                if let Some(event) = self.read(&line)? {
                    return Ok(event);
                }
            }
            let Some(body) = &mut self.body else {
                self.connect().await?;
                continue;
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.push(&bytes);
                    }
                    if self.buffer.bytes.len() > LINE_BYTES_MAX {
                        return Err(Failure::new(
                            Exit::Failed,
                            format!("an event is larger than {LINE_BYTES_MAX} bytes"),
                        ));
                    }
                }
                Some(Err(_)) | None => (self.body, self.buffer) = (None, Lines::default()),
            }
        }
    }

    fn read(&mut self, line: &str) -> Result<Option<EventBody>, Failure> {
        let Some(data) = line.strip_prefix("data: ") else { return Ok(None) };
        if let Ok(event) = serde_json::from_str::<EventBody>(data) {
            self.last = Some(event.seq);
            return Ok(Some(event));
        }
        Err(serde_json::from_str::<Problem>(data).map_or_else(
            |error| Failure::caused("the server sent an event that is not what is expected", &error),
            Failure::from,
        ))
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let mut headers = HeaderMap::new();
            if let Some(last) = self.last {
                headers.insert(HeaderName::from_static("last-event-id"), HeaderValue::from(last.0));
            }
            let path = format!("/events/stream?{}", self.query);
            match self.client.send(Method::GET, &path, headers, Bytes::new()).await {
                Ok(response) => {
                    self.body = Some(response.into_body());
                    return Ok(());
                }
                // Nothing was seen yet, or the server said no: trying again would not help.
                Err(failure) if self.last.is_none() || failure.exit != Exit::Failed || tries >= RECONNECTS_MAX => {
                    return Err(failure);
                }
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }
}
