//! What is known of a seat, in files: so a new server finds what an old one left. A folder for each, beside the workspaces:
//!
//! ```text
//! <sandbox>/seat.json   which gateway, which session; made with the sandbox
//!           turn.json   the turn has begun: from where in the log, how long it may take
//!           sent        the message was taken
//!           out         what is printed, a line of JSON each with its place in the log (`at`)
//!           stop        somebody wants it to end
//!           exit.json   how it ended
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use regatta_core::GatewayName;
use regatta_sandboxes::Ended;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::line;

const SEAT: &str = "seat.json";
const TURN: &str = "turn.json";
const SENT: &str = "sent";
const OUT: &str = "out";
const STOP: &str = "stop";
const EXIT: &str = "exit.json";

/// A place at a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) gateway: GatewayName,
    /// The OpenClaw agent.
    pub(crate) agent: String,
    /// The session's key.
    pub(crate) session: String,
    /// What the message is sent under, so that it is taken once.
    pub(crate) key: String,
    /// Where the agent works.
    pub(crate) workspace: String,
}

/// A turn that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The place in the gateway's stream before which nothing belongs to it.
    pub(crate) from: u64,
    /// In milliseconds since the Unix epoch.
    pub(crate) began_at_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) output_bytes_max: u64,
    /// The file with the message.
    pub(crate) prompt: PathBuf,
}

/// The folder of a seat.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(root: &Path, sandbox: &str) -> Self {
        Self(root.join(sandbox))
    }

    /// Every folder there is, by its sandbox.
    pub(crate) fn all(root: &Path) -> io::Result<Vec<(String, Self)>> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let mut all = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if let Ok(sandbox) = entry.file_name().into_string() {
                all.push((sandbox, Self(entry.path())));
            }
        }
        Ok(all)
    }

    pub(crate) fn seat(&self) -> io::Result<Option<Seat>> {
        self.json(SEAT)
    }

    pub(crate) fn take(&self, seat: &Seat) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        self.write(SEAT, seat)
    }

    pub(crate) fn begun(&self) -> io::Result<Option<Begun>> {
        self.json(TURN)
    }

    pub(crate) fn begin(&self, begun: &Begun) -> io::Result<()> {
        self.write(TURN, begun)
    }

    pub(crate) fn was_sent(&self) -> bool {
        self.0.join(SENT).exists()
    }

    pub(crate) fn sent(&self) -> io::Result<()> {
        self.write(SENT, &())
    }

    pub(crate) fn is_to_stop(&self) -> bool {
        self.0.join(STOP).exists()
    }

    pub(crate) fn stop(&self) -> io::Result<()> {
        self.write(STOP, &())
    }

    pub(crate) fn ended(&self) -> io::Result<Option<Ended>> {
        self.json(EXIT)
    }

    pub(crate) fn end(&self, ended: &Ended) -> io::Result<()> {
        self.write(EXIT, ended)
    }

    /// What is printed from an offset on.
    pub(crate) fn read(&self, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let file = match File::open(self.0.join(OUT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let there = usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; there.min(bytes_max)];
        let read = file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let aside = self.0.join(format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(aside, self.0.join(name))
    }
}

/// What a turn prints. A line names its place in the log, so who takes over goes on after the last whole one.
pub(crate) struct Out {
    file: File,
    pub(crate) bytes: u64,
    /// The place in the log of the last line.
    pub(crate) at: u64,
    /// The place of the last row of the session's history that was printed.
    pub(crate) row: u64,
}

impl Out {
    pub(crate) fn open(folder: &Folder, from: u64) -> io::Result<Self> {
        let path = folder.0.join(OUT);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let (mut bytes, mut at, mut row) = (0, from, 0);
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            let Some(whole) = line.strip_suffix(b"\n").filter(|_| read > 0) else { break };
            let Ok(told) = serde_json::from_slice::<Value>(whole) else { break };
            bytes += read as u64;
            at = told.get("at").and_then(Value::as_u64).unwrap_or(at);
            row = told.get("message").and_then(line::place).unwrap_or(row).max(row);
        }
        // A line that was cut short by a crash is said again.
        file.set_len(bytes)?;
        Ok(Self { file, bytes, at, row })
    }

    pub(crate) fn print(&mut self, mut line: Map<String, Value>, at: u64) -> io::Result<()> {
        let row = line.get("message").and_then(line::place).unwrap_or(0);
        line.insert("at".to_owned(), at.into());
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text) {
            // What was written of it would stand in the way of the next try.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        (self.at, self.row) = (at, self.row.max(row));
        Ok(())
    }
}
