//! How a log on disk begins to work: its files are taken, found and brought together, and its threads started.

use std::fs;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::watch;

use super::begin::{begin, carry, check_new, continue_at, replay};
use super::durable::{DurableLog, Inner, QUEUE_APPENDS_MAX, Running};
use super::index::Catalog;
use super::journal::ahead::Ahead;
use super::journal::anchoring::{self, Anchoring};
use super::journal::reader::Reader;
use super::journal::recover::{Recovered, Tip, recover};
use super::journal::room::{LowWater, is_full};
use super::journal::sealer::{self, Sealer};
use super::journal::writer::{Queue, Start, Writer};
use super::journal::{DiskFile, segment};
use super::lock::Lock;
use super::open::{BUNDLE_BYTES_BOUNDS, SEGMENT_BYTES_BOUNDS};
use super::scrub::{self, Scrub, Scrubbed};
use super::{OpenError, Options, restoring};

/// Events from which on bringing the index up to the journal takes long enough to be said before.
const REBUILD_SAID_MIN: u64 = 1_000_000;

impl DurableLog {
    /// Opens the log of a data directory, making it when there is none.
    ///
    /// # Errors
    /// When another process has it open, or the journal is damaged or shortened, or the disk fails or is full.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_to_fill(options, None)
    }

    /// As [`Self::open`], also where filling it from there was begun.
    pub(crate) fn open_to_fill(options: Options, from: Option<&restoring::Source>) -> Result<Self, OpenError> {
        if !SEGMENT_BYTES_BOUNDS.contains(&options.segment_bytes) {
            let (least, most) = (SEGMENT_BYTES_BOUNDS.start(), SEGMENT_BYTES_BOUNDS.end());
            return Err(OpenError::OutOfBounds(format!("segment_bytes must be from {least} to {most}")));
        }
        if !BUNDLE_BYTES_BOUNDS.contains(&options.bundle_bytes) {
            let (least, most) = (BUNDLE_BYTES_BOUNDS.start(), BUNDLE_BYTES_BOUNDS.end());
            return Err(OpenError::OutOfBounds(format!("bundle_bytes must be from {least} to {most}")));
        }
        let (low_water, disk) = (LowWater::new(options.dir.clone(), options.segment_bytes), options.disk.clone());
        let opened = Self::open_on(options, from);
        if let Err(OpenError::Io { source, .. }) = &opened
            && is_full(source)
        {
            return Err(OpenError::Full(low_water.lacking_to_open(&*disk)));
        }
        opened
    }

    fn open_on(options: Options, from: Option<&restoring::Source>) -> Result<Self, OpenError> {
        let dir = options.dir.clone();
        let io = |what| move |source| OpenError::Io { what, source };
        fs::create_dir_all(&dir).map_err(io("make the data directory"))?;
        let lock = Lock::take(&dir)?;
        restoring::check(&dir, from)?;
        let disk = options.disk.clone();
        disk.make_folder(&dir.join(segment::FOLDER)).map_err(io("make the journal's folder"))?;
        let recovered = match recover(&*disk, &dir)? {
            Some(recovered) => recovered,
            None => {
                check_new(&dir, options.index_deadline)?;
                begin(&options).map_err(io("begin a journal"))?
            }
        };
        let journal = recovered.journal();
        // Before anything is changed: it may know that the journal has lost its end, or that somebody else is at work.
        let (catalog, cursor) = Catalog::open(&dir, journal, recovered.tip.seq, options.index_deadline)?;
        let catalog = Arc::new(catalog);
        segment::remove_unborn(&*disk, &dir).map_err(io("clear the journal's folder"))?;
        let file = continue_at(&*disk, &dir, &recovered).map_err(io("continue the journal"))?;
        sealer::remove_before(&*disk, &dir, recovered.beginning.first).map_err(io("remove old segments"))?;
        let Recovered { segments, tip, beginning, .. } = recovered;
        let reader = Arc::new(Reader::new(disk, &dir, segments, tip.seq));
        if cursor + 1 < beginning.first {
            carry(&catalog, beginning)?;
        }
        if tip.seq.saturating_sub(cursor) > REBUILD_SAID_MIN {
            tracing::info!(from = cursor + 1, upto = tip.seq, "bringing the index up to the journal");
        }
        replay(&reader, &catalog, cursor + 1)?;
        if cursor == 0 && tip.seq > 0 {
            tracing::info!(events = tip.seq, "the index was rebuilt from the journal");
        }
        Self::start(options, lock, file, tip, reader, catalog, journal)
    }

    fn start(
        options: Options,
        lock: Lock,
        file: Arc<dyn DiskFile>,
        tip: Tip,
        reader: Arc<Reader>,
        catalog: Arc<Catalog>,
        journal: u64,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(tip.anchor()));
        let ahead = Arc::new(Ahead::default());
        let sealer = Sealer::new(&options, reader.clone(), journal);
        let sealing = options.seal.then(|| sealer::Running::start(sealer.clone(), options.seal_again_after));
        let Options { dir, segment_bytes, ahead_bytes, anchor_every, scrub_every: every, clock, disk, .. } = options;
        let io = |source| OpenError::Io { what: "start a thread", source };
        let anchors = Arc::new(Anchoring::new(disk.clone(), dir.clone()));
        let anchoring = anchoring::Running::start(anchors.clone(), queue.clone(), anchor_every).map_err(io)?;
        let (found, scrubbed) = watch::channel(Scrubbed::default());
        let scrub = scrub::Start { disk: disk.clone(), dir: dir.clone(), reader: reader.clone(), every, found };
        let scrub = Scrub::start(scrub).map_err(io)?;
        let low_water = LowWater::new(dir.clone(), segment_bytes);
        let sealing = sealing.transpose().map_err(io)?;
        let writer = Writer::new(Start {
            dir: dir.clone(),
            disk: disk.clone(),
            clock,
            segment_bytes,
            reader: reader.clone(),
            ahead: ahead.clone(),
            anchoring: anchors,
            catalog: catalog.clone(),
            queue: queue.clone(),
            file,
            tip,
            full: sealing.as_ref().map(sealer::Running::waker),
        });
        let (messages, waiting) = sync_channel(QUEUE_APPENDS_MAX);
        let ahead = (ahead_bytes > 0)
            .then(|| thread::Builder::new().name("journal-ahead".to_owned()).spawn(move || ahead.run(ahead_bytes)))
            .transpose()
            .map_err(io)?;
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&waiting));
        let running = Mutex::new(Some(Running { writer: writer.map_err(io)?, ahead, anchoring, scrub, sealing, lock }));
        let inner = Inner { dir, reader, catalog, queue, messages, scrubbed, disk, low_water, sealer, running };
        Ok(Self { inner: Arc::new(inner) })
    }
}
