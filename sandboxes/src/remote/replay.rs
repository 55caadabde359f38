//! Answers of vendors' servers as they were recorded, given again to whoever asks, cut into pieces. For tests.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// One recorded answer.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    probe: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    text: Option<String>,
    b64: Option<String>,
    envelopes: Option<Vec<Envelope>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Envelope {
    flags: u8,
    text: String,
}

impl Line {
    /// The pieces it came in: each envelope one.
    fn pieces(&self) -> Vec<Vec<u8>> {
        match (&self.envelopes, &self.b64) {
            (Some(envelopes), _) => envelopes
                .iter()
                .map(|envelope| {
                    let length = u32::try_from(envelope.text.len()).expect("short").to_be_bytes();
                    [&[envelope.flags][..], &length, envelope.text.as_bytes()].concat()
                })
                .collect(),
            (None, Some(b64)) => vec![STANDARD.decode(b64).expect("base64")],
            (None, None) => vec![self.text.clone().unwrap_or_default().into_bytes()],
        }
    }

    fn head(&self, bytes: usize) -> String {
        let kind = self.headers.get("Content-Type").map_or("", String::as_str);
        format!("HTTP/1.1 {} Recorded\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\n\r\n", self.status)
    }
}

/// A server that gives one recorded answer for ever.
pub(crate) struct Replay {
    pub(crate) url: String,
    /// What was asked: heads and bodies.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Replay {
    /// Gives the answers of that probe, in pieces of at most `piece` bytes. What has no status of its own is sent raw.
    pub(crate) fn of(recorded: &str, probe: &str, piece: usize) -> Self {
        let lines = recorded.lines().map(|line| serde_json::from_str::<Line>(line).expect("a recorded line"));
        let lines: Vec<Line> = lines.filter(|line| line.probe == probe).collect();
        assert!(!lines.is_empty(), "no probe {probe}");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                answer(stream, &lines, piece, &heard);
            }
        });
        Self { url, asked }
    }
}

fn answer(mut stream: TcpStream, lines: &[Line], piece: usize, heard: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).expect("no delay");
    heard.lock().expect("heard").push(request(&mut stream));
    let bytes: Vec<u8> = lines.iter().flat_map(|line| line.pieces().concat()).collect();
    let head = lines.first().filter(|line| line.status != 0).map(|line| line.head(bytes.len()));
    let all = [head.unwrap_or_default().into_bytes(), bytes].concat();
    for piece in all.chunks(piece) {
        if stream.write_all(piece).is_err() {
            return;
        }
    }
    // Whoever asked closes.
    while stream.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0) {}
}

/// Reads a request with a body of known length, or none.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).unwrap_or(0);
        bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "{text}");
            continue;
        };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) || read == 0 {
            return text;
        }
    }
}
