//! Backups that stop at any step: the disk is full, or the process is killed. What was there before is there, whole, and
//! what is there is a log; or, of a first backup, marked as only a part of one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use regatta_core::log::backup::{BackupError, backup, backup_through, is_restoring, restore};
use regatta_core::log::journal::{Disk, DiskFile, RealDisk, Space};
use regatta_core::log::{DurableLog, OpenError, verify};
use regatta_core::{Append, Expect, Log as _, ReadMax, Seq};

use crate::given::{append, copied, draft, sealing, small, stream};
use crate::simulated::Dice;

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

/// The machine's disk, until so many changes were made.
#[derive(Debug, Clone)]
struct Stopping {
    left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct StoppingFile {
    file: Arc<dyn DiskFile>,
    disk: Stopping,
}

impl Stopping {
    fn after(changes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(changes)) }
    }

    fn change(&self) -> io::Result<()> {
        let took = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        took.map(drop).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }

    fn open(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(StoppingFile { file, disk: self.clone() })
    }
}

impl Disk for Stopping {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.open(RealDisk.open_to_write(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.change()?;
        Ok(self.open(RealDisk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !path.exists() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change()?;
        RealDisk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.make_folder(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.sync_folder(folder)
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        RealDisk.space(folder)
    }
}

impl DiskFile for StoppingFile {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read(into, at)
    }

    /// What stops leaves half a write.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if let Err(full) = self.disk.change() {
            self.file.write(&bytes[..bytes.len() / 2], at)?;
            return Err(full);
        }
        self.file.write(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync_all()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.set_size(bytes)
    }
}

fn fill(log: &DurableLog, last: u64) {
    for n in log.head().0 + 1..=last {
        let to = stream(if n % 2 == 0 { "run/a" } else { "run/b" });
        append(log, Append { stream: to, expect: Expect::Any, events: vec![draft(n, Dice(n).noise(400))] })
            .expect("appended");
    }
}

fn wait_until_sealed(log: &DurableLog) {
    loop {
        let files = log.reader().segment_files().expect("reads");
        if files.iter().rev().skip(1).all(|file| file.sealed.is_some()) {
            return;
        }
        std::thread::yield_now();
    }
}

/// A folder that a backup stopped in holds all of what it held before, and can be restored and gone on from.
fn check_holds(log: &DurableLog, to: &Path, at_least: Seq) {
    let events = log.read(Seq(1), ALL).expect("reads");
    let report = verify(to).expect("verifies");
    assert!(report.is_clean() && report.head >= at_least, "{report:?}");
    let whole = tempfile::tempdir().expect("folder");
    assert_eq!(restore(to, whole.path()).expect("restored").head, report.head);
    let again = DurableLog::open(small(whole.path())).expect("opens");
    let head = usize::try_from(report.head.0).expect("seq");
    assert_eq!(again.read(Seq(1), ALL).expect("reads"), events[..head]);
    // As a data directory it goes on, whatever the backup had begun to bring.
    let copy = copied(to);
    let other = DurableLog::open(small(copy.path())).expect("opens");
    fill(&other, report.head.0 + 40);
    other.close().expect("stops");
    let report = verify(copy.path()).expect("verifies");
    assert!(report.is_clean() && report.head.0 == head as u64 + 40, "{report:?}");
}

/// Stops a backup to a copy of a folder at each of its steps; how many there are.
fn stop_everywhere(log: &DurableLog, before: &Path, at_least: Seq) -> u64 {
    for changes in 0.. {
        let to = copied(before);
        let done = backup_through(&Stopping::after(changes), log.dir(), to.path());
        let is_first = at_least == Seq(0);
        if is_restoring(to.path()) {
            assert!(done.is_err() && is_first);
            check_is_marked(to.path());
        } else if report_is_empty(to.path()) {
            assert!(done.is_err() && is_first);
        } else {
            check_holds(log, to.path(), if is_first { log.head() } else { at_least });
        }
        // The next one goes on with it.
        let next = backup(log.dir(), to.path()).expect("backed up");
        assert_eq!((next.head, verify(to.path()).expect("verifies").is_clean()), (log.head(), true));
        if done.is_ok() {
            return changes;
        }
    }
    unreachable!("a backup has an end")
}

/// Nobody takes it for a whole log.
fn check_is_marked(to: &Path) {
    let back = tempfile::tempdir().expect("folder");
    let refused = restore(to, back.path()).expect_err("a part of a log");
    assert!(matches!(refused, BackupError::Open(OpenError::Restoring { .. })), "{refused}");
    let told = refused.to_string();
    assert!(told.starts_with("a first backup into ") && told.contains("run it again"), "{told}");
    let refused = DurableLog::open(small(copied(to).path())).expect_err("a part of a log");
    assert!(matches!(refused, OpenError::Restoring { .. }), "{refused}");
}

/// Nothing of a log is there yet.
fn report_is_empty(to: &Path) -> bool {
    verify(to).is_err()
}

#[test]
fn the_first_backup_may_stop_at_any_step() {
    let folder = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(sealing(&folder.path().join("data"))).expect("opens");
    fill(&log, 60);
    wait_until_sealed(&log);
    let to = tempfile::tempdir().expect("folder");
    let steps = stop_everywhere(&log, to.path(), Seq(0));
    assert!(steps > 30, "{steps}");
}

#[test]
fn a_later_backup_may_stop_at_any_step_and_the_one_before_is_there() {
    let folder = tempfile::tempdir().expect("folder");
    for seal in [true, false] {
        let data = folder.path().join(format!("data-{seal}"));
        let to = folder.path().join(format!("to-{seal}"));
        let open = |dir: &Path| DurableLog::open(if seal { sealing(dir) } else { small(dir) }).expect("opens");
        let log = open(&data);
        fill(&log, 30);
        // The last segment is copied as it is being written, and sealed afterwards.
        let held = backup(&data, &to).expect("backed up").head;
        fill(&log, 60);
        if seal {
            wait_until_sealed(&log);
        }
        let steps = stop_everywhere(&log, &to, held);
        assert!(steps > 15, "{steps}");
    }
}
