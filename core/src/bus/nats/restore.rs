//! Rebuilds a data directory that was lost from the stream. Where the stream tells the chain, the journal is made again
//! block by block, with the hashes it had; else its events are imported.

use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Error;
use super::mirror::{Events, Mirror, Mirrored, Skipped};
use super::order::{Next, Order};
use super::server::Server;
use crate::log::journal::RealDisk;
use crate::log::rebuild::Rebuild;
use crate::log::restoring::{self, Source};
use crate::log::transfer::{ImportError, Imported, Moved, import_from};
use crate::log::witness::Rechained;
use crate::log::{Options, adopt_install};
use crate::{InstallId, Seq};

/// Lines between the reader of the stream and the writer of the log.
const LINES_MAX: usize = 1_024;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The install it was of; the data directory has its name now.
    pub install: InstallId,
    /// How much was brought in.
    pub moved: Moved,
    /// The last event up to which the chain of hashes proves that the log is the one that was lost; 0 when the stream
    /// does not tell the chain, or was not asked.
    pub proved: Seq,
    /// Events at the end that were left out, because their append is not whole in the stream.
    pub left_out: u64,
    /// Messages that are no events of ours, the first ones.
    pub skipped: Vec<Skipped>,
    /// How many there are more.
    pub skipped_more: u64,
}

/// What is asked of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose events; may be left out when the stream has those of one install only.
    pub install: Option<InstallId>,
    /// Whether events that do not follow the chain are refused, where the stream tells one.
    pub chained: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { install: None, chained: true }
    }
}

/// Rebuilds a log from the stream, in an empty data directory, or goes on where a restore stopped. As far as the stream
/// tells the chain of hashes every block is compared with it, and written as it was. Of events without it is checked
/// that each is there, once; their blocks are written and chained anew, which is noted in the data directory.
///
/// # Errors
/// When the stream lacks an event or holds two for one place, when they are not what the chain says, or the log cannot be
/// written. What was brought in stays.
pub async fn restore(server: &Server, wanted: Wanted, options: Options) -> Result<Restored, Error> {
    let mirror = Mirror::connect(server).await?;
    let Wanted { mut install, chained } = wanted;
    let mut events = mirror.events(1, install.as_ref()).await?;
    if events.left() == 0 {
        let whose = install.map_or_else(String::new, |install| format!(" of install {install}"));
        return Err(Error::Install(format!("the stream has no events{whose}")));
    }
    let mut order = Order::new(chained);
    let mut writing = Writing { options: &options, into: Target::Nothing, moved: Moved::default(), group: Vec::new() };
    let read = read(&mut events, &mut install, &mut order, &mut writing).await;
    // Loose events do not count.
    let proved = if order.is_chained() { writing.moved.last } else { Seq(0) };
    let dir = options.dir.clone();
    // When the reader failed, an importer says only that it got too little; one that failed itself says why.
    let left_out = writing.group.len() as u64;
    let moved = match (read, writing.end().await) {
        (Err(Error::Lost), Err(error)) | (Ok(()), Err(error)) => return Err(error),
        (Err(error), _) => return Err(error),
        (Ok(()), Ok(moved)) => moved,
    };
    let install = install.ok_or_else(|| Error::Install("the stream has no events".to_owned()))?;
    let io = failed(&dir);
    if moved.last > proved {
        Rechained::note(&dir, proved.next(), moved.last).map_err(io)?;
    }
    let named = adopt_install(&dir, &install).map_err(|error| failed(&dir)(io::Error::other(error)))?;
    if named != install {
        return Err(Error::Install(format!(
            "the data directory is install {named}, but these are events of {install}"
        )));
    }
    // Last of all: from now on a server may start there.
    restoring::end(&RealDisk, &dir).map_err(failed(&dir))?;
    let Order { skipped, skipped_more, .. } = order;
    Ok(Restored { install, moved, proved, left_out, skipped, skipped_more })
}

fn failed(dir: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = dir.to_owned();
    move |source| Error::File { path, source }
}

async fn read(
    events: &mut Events,
    install: &mut Option<InstallId>,
    order: &mut Order,
    writing: &mut Writing<'_>,
) -> Result<(), Error> {
    while events.left() > 0 {
        let event = match events.next().await? {
            Ok(event) => event,
            Err(skipped) => {
                order.skip(skipped);
                continue;
            }
        };
        let known = install.get_or_insert_with(|| event.install.clone());
        if *known != event.install {
            let reason = format!("the stream has events of {known} and of {}: name one, --install ID", event.install);
            return Err(Error::Install(reason));
        }
        order.put(event)?;
        while let Some(next) = order.next()? {
            writing.take(next).await?;
        }
    }
    while let Some(next) = order.rest()? {
        writing.take(next).await?;
    }
    Ok(())
}

/// What is written, and how.
struct Writing<'a> {
    options: &'a Options,
    into: Target,
    moved: Moved,
    /// Lines that were not handed on, because their append is not whole.
    group: Vec<Bytes>,
}

/// Where to.
enum Target {
    Nothing,
    Blocks(Box<Rebuild>),
    Lines(Importing),
}

/// An import at work on a thread of its own.
struct Importing {
    lines: mpsc::Sender<Option<Bytes>>,
    task: JoinHandle<Result<Imported, ImportError>>,
}

impl Importing {
    fn start(options: &Options) -> Self {
        let (lines, received) = mpsc::channel(LINES_MAX);
        let options = options.clone();
        let task = tokio::task::spawn_blocking(move || {
            let lines = Lines { received, rest: Bytes::new(), finished: false };
            import_from(&Source::Nats, options, &mut BufReader::with_capacity(1 << 20, lines))
        });
        Self { lines, task }
    }
}

impl Writing<'_> {
    async fn take(&mut self, next: Next) -> Result<(), Error> {
        match next {
            Next::Block(block) => {
                let rebuild = match &mut self.into {
                    Target::Blocks(rebuild) => rebuild,
                    into @ (Target::Nothing | Target::Lines(_)) => {
                        let rebuild = Rebuild::begin(self.options, &Source::Nats).map_err(ImportError::from)?;
                        *into = Target::Blocks(Box::new(rebuild));
                        let Target::Blocks(rebuild) = into else { return Err(Error::Lost) };
                        rebuild
                    }
                };
                let events = block.link.last - block.link.first + 1;
                self.moved.last = Seq(block.link.last);
                match rebuild.holds(&block.link)? {
                    Some(true) => self.moved.same += events,
                    Some(false) => {
                        let reason = "the data directory holds another log: restore into an empty one".to_owned();
                        return Err(Error::Install(reason));
                    }
                    None => {
                        rebuild.add(&block).map_err(failed(&self.options.dir))?;
                        self.moved.events += events;
                    }
                }
                Ok(())
            }
            Next::Loose(event) => self.loose(*event).await,
        }
    }

    async fn loose(&mut self, event: Mirrored) -> Result<(), Error> {
        let whole = event.more == 0;
        self.group.push(one_line(&event.line));
        if !whole {
            return Ok(());
        }
        if !matches!(self.into, Target::Lines(_)) {
            // One writer at a time.
            if let Target::Blocks(rebuild) = std::mem::replace(&mut self.into, Target::Nothing) {
                rebuild.end().map_err(failed(&self.options.dir))?;
            }
            self.into = Target::Lines(Importing::start(self.options));
        }
        let Target::Lines(importing) = &self.into else { return Err(Error::Lost) };
        for line in self.group.drain(..) {
            // It says why when it is asked at the end.
            importing.lines.send(Some(line)).await.map_err(|_| Error::Lost)?;
        }
        Ok(())
    }

    async fn end(self) -> Result<Moved, Error> {
        let before = self.moved;
        match self.into {
            Target::Nothing => Ok(before),
            Target::Blocks(rebuild) => {
                rebuild.end().map_err(failed(&self.options.dir))?;
                Ok(before)
            }
            Target::Lines(Importing { lines, task }) => {
                // Without this end the importer takes what it got for a broken connection.
                lines.send(None).await.ok();
                drop(lines);
                let moved = task.await.map_err(|_| Error::Lost)??.moved;
                let Moved { events, same, last } = moved;
                Ok(Moved { events: before.events + events, same: before.same + same, last })
            }
        }
    }
}

/// A message as one line, however it came: between the parts of JSON there may be line ends.
fn one_line(message: &[u8]) -> Bytes {
    let bare = message.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r'));
    bare.chain([b'\n']).collect::<Vec<u8>>().into()
}

/// Lines as they come from the stream, for the importer's thread.
struct Lines {
    received: mpsc::Receiver<Option<Bytes>>,
    rest: Bytes,
    finished: bool,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.finished {
            match self.received.blocking_recv() {
                Some(Some(line)) => self.rest = line,
                Some(None) => self.finished = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream broke off")),
            }
        }
        let count = self.rest.len().min(into.len());
        let taken = self.rest.split_to(count);
        if let Some(place) = into.get_mut(..count) {
            place.copy_from_slice(&taken);
        }
        Ok(count)
    }
}
