//! What the two ends say to each other: frames of a head in JSON and a body of bytes. Pure; knows no stream.

use std::collections::BTreeMap;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::provider::{Error, Exec, Status, Stdio};
use crate::secrets::Secrets;

/// Lengths of head and body before each frame.
const LENGTHS_BYTES: usize = 8;
/// A head holds at most a command with its arguments and variables.
const HEAD_BYTES_MAX: usize = 16 << 20;
/// A body holds at most a file of an outbox.
const BODY_BYTES_MAX: usize = 256 << 20;

/// A wish, with the number its answer will carry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) id: u64,
    pub(crate) call: Call,
}

/// What can be asked inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Call {
    /// Starts a command; what goes from memory to memory is the body, an object of texts.
    Start {
        command: Command,
    },
    Status {
        exec: String,
    },
    Read {
        exec: String,
        stdio: Stdio,
        offset: u64,
        bytes_max: usize,
    },
    Changed {
        exec: String,
    },
    Kill {
        exec: String,
        grace_ms: u64,
    },
    Get {
        exec: String,
        name: String,
        bytes_max: u64,
    },
    LeftNothing {
        exec: String,
    },
    Untouched,
    /// The body is a piece of the archive of what the sandbox begins with; an empty one asks whether it is wanted.
    Fill {
        last: bool,
    },
    /// Whether commands left nothing where it is in memory, and gone with the container.
    NothingInMemory,
    /// Shows files in the home; their contents are the body, one after the other.
    Show {
        files: Vec<Shown>,
    },
}

/// [`Exec`], without what is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    name: String,
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    timeout_ms: u64,
    output_bytes_max: u64,
}

impl From<&Exec> for Command {
    fn from(exec: &Exec) -> Self {
        Self {
            name: exec.name.clone(),
            argv: exec.argv.clone(),
            env: exec.env.clone(),
            timeout_ms: exec.timeout_ms,
            output_bytes_max: exec.output_bytes_max,
        }
    }
}

impl From<Command> for Exec {
    fn from(command: Command) -> Self {
        Self {
            name: command.name,
            argv: command.argv,
            env: command.env,
            env_pass: Vec::new(),
            secrets: Secrets::default(),
            timeout_ms: command.timeout_ms,
            output_bytes_max: command.output_bytes_max,
        }
    }
}

/// The body that goes with [`Call::Start`].
pub(crate) fn sealed(secrets: &Secrets) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&secrets.exposed().collect::<BTreeMap<_, _>>())?)
}

/// What such a body holds.
pub(crate) fn unsealed(body: &[u8]) -> io::Result<Secrets> {
    let secrets: BTreeMap<String, String> = serde_json::from_slice(body)?;
    Ok(secrets.into_iter().map(|(name, value)| (name, value.into())).collect())
}

/// A file to be shown: where in the home, and how long its content is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) target: String,
    pub(crate) bytes: usize,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) id: u64,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Status(Told),
    /// They are the body.
    Bytes,
    Flag(bool),
    Failed(Failure),
}

/// [`Status`], as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    NotStarted,
    Running,
    Ended(crate::provider::Ended),
}

impl From<Status> for Told {
    fn from(status: Status) -> Self {
        match status {
            Status::NotStarted => Self::NotStarted,
            Status::Running => Self::Running,
            Status::Ended(ended) => Self::Ended(ended),
        }
    }
}

impl From<Told> for Status {
    fn from(told: Told) -> Self {
        match told {
            Told::NotStarted => Self::NotStarted,
            Told::Running => Self::Running,
            Told::Ended(ended) => Self::Ended(ended),
        }
    }
}

/// [`Error`], as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    Unusable(String),
    Missing(String),
    TooLarge { what: String, bytes: u64, bytes_max: u64 },
    Transient { action: String, reason: String },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Unusable { reason } => Self::Unusable(reason),
            Error::Missing(what) => Self::Missing(what),
            Error::TooLarge { what, bytes, bytes_max } => Self::TooLarge { what, bytes, bytes_max },
            // Inside a sandbox nobody makes more of them.
            Error::Full { reason, .. } => Self::Unusable(reason),
            Error::Transient { action, source } => Self::Transient { action, reason: source.to_string() },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unusable(reason) => Self::Unusable { reason },
            Failure::Missing(what) => Self::Missing(what),
            Failure::TooLarge { what, bytes, bytes_max } => Self::TooLarge { what, bytes, bytes_max },
            Failure::Transient { action, reason } => Self::Transient { action, source: io::Error::other(reason) },
        }
    }
}

/// A frame, ready to be written.
pub(crate) fn frame(head: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: &[u8], bytes_max: usize| match u32::try_from(bytes.len()) {
        Ok(length) if bytes.len() <= bytes_max => Ok(length.to_be_bytes()),
        Ok(_) | Err(_) => Err(too_long()),
    };
    Ok([&length(&head, HEAD_BYTES_MAX)?[..], &length(body, BODY_BYTES_MAX)?, &head, body].concat())
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame is too long")
}

/// Puts frames together from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Frames(BytesMut);

impl Frames {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// The next frame, when it is whole.
    ///
    /// # Errors
    /// When what arrived is none; then nothing that follows is.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Bytes)>> {
        let mut lengths = &self.0[..];
        if lengths.len() < LENGTHS_BYTES {
            return Ok(None);
        }
        let mut length = || usize::try_from(lengths.get_u32()).unwrap_or(usize::MAX);
        let (head, body) = (length(), length());
        if head > HEAD_BYTES_MAX || body > BODY_BYTES_MAX {
            return Err(too_long());
        }
        let whole = LENGTHS_BYTES + head + body;
        if self.0.len() < whole {
            self.0.reserve(whole - self.0.len());
            return Ok(None);
        }
        self.0.advance(LENGTHS_BYTES);
        let head = self.0.split_to(head);
        let body = self.0.split_to(body).freeze();
        Ok(Some((serde_json::from_slice(&head)?, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_wherever_the_stream_is_cut() {
        let calls =
            [Call::Untouched, Call::Status { exec: "agent".to_owned() }, Call::Changed { exec: "x".repeat(300) }];
        let bodies: [&[u8]; 3] = [b"", b"\0\xff", &[7; 1000]];
        let mut stream = Vec::new();
        for (id, (call, body)) in (0..).zip(calls.iter().zip(bodies)) {
            stream.extend(frame(&Asked { id, call: call.clone() }, body).expect("a frame"));
        }
        for cut in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut arrived = Vec::new();
            for piece in [&stream[..cut], &stream[cut..]] {
                frames.push(piece);
                while let Some((asked, body)) = frames.next::<Asked>().expect("frames") {
                    arrived.push((asked.id, asked.call, body));
                }
            }
            let expected: Vec<_> = (0..)
                .zip(calls.iter().zip(bodies))
                .map(|(id, (call, body))| (id, call.clone(), Bytes::from_static(body)))
                .collect();
            assert_eq!(arrived, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_anything_is_kept_for_it() {
        for noise in [&b"\xff\xff\xff\xff\0\0\0\0"[..], b"\0\0\0\x01\xff\xff\xff\xff", b"\0\0\0\x02\0\0\0\0{]"] {
            let mut frames = Frames::default();
            frames.push(noise);
            assert!(frames.next::<Asked>().is_err(), "{noise:?}");
        }
    }
}
