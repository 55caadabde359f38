//! HTTP as a bench needs it, by hand, so that the client costs next to nothing: a request with its answer on a
//! connection that stays, an endless answer, a WebSocket that answers pings.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::place::Place;

pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    place: Place,
}

impl Wire {
    pub(crate) async fn open(place: &Place) -> Outcome<Self> {
        let stream = TcpStream::connect(&place.address).await?;
        stream.set_nodelay(true)?;
        // Small, for there are a thousand of them.
        Ok(Self { stream: BufReader::with_capacity(4_096, stream), place: place.clone() })
    }

    async fn send(&mut self, method: &str, path: &str, more: &str, body: &str) -> Outcome<()> {
        let Place { address, token } = &self.place;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        );
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    /// The status and the length of the body, when it has one.
    async fn head(&mut self) -> Outcome<(u16, usize)> {
        let (mut status, mut length) = (0, 0);
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err("the server hung up".into());
            }
            let text = line.trim_end().to_ascii_lowercase();
            if text.is_empty() {
                return Ok((status, length));
            }
            if let Some(rest) = text.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap_or_default().parse()?;
            } else if let Some(rest) = text.strip_prefix("content-length:") {
                length = rest.trim().parse()?;
            }
        }
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Outcome<(u16, Vec<u8>)> {
        self.send(method, path, "", body).await?;
        let (status, length) = self.head().await?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status, body))
    }

    /// Begins an answer without end.
    pub(crate) async fn follow(&mut self, path: &str) -> Outcome<()> {
        self.send("GET", path, "", "").await?;
        match self.head().await? {
            (200, _) => Ok(()),
            (status, _) => Err(format!("{path} was answered with {status}").into()),
        }
    }

    /// The next line of it.
    pub(crate) async fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err("the stream ended".into());
        }
        Ok(line)
    }

    /// Becomes a WebSocket that says one thing.
    pub(crate) async fn upgrade(&mut self, path: &str, says: &str) -> Outcome<()> {
        let more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.send("GET", path, more, "").await?;
        let (status, _) = self.head().await?;
        if status != 101 {
            return Err(format!("{path} was answered with {status}").into());
        }
        const TEXT: u8 = 0x81;
        self.frame(TEXT, says.as_bytes()).await
    }

    /// A short frame, masked with zeros.
    async fn frame(&mut self, kind: u8, payload: &[u8]) -> Outcome<()> {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).ok_or("that is too long")?;
        let mut frame = vec![kind, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Takes short frames for ever, and answers pings.
    pub(crate) async fn stay(&mut self) -> Outcome<()> {
        const PING: u8 = 0x89;
        const PONG: u8 = 0x8a;
        loop {
            let kind = self.stream.read_u8().await?;
            let length = match self.stream.read_u8().await? {
                126 => usize::from(self.stream.read_u16().await?),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            if kind == PING {
                self.frame(PONG, &payload).await?;
            }
        }
    }
}
