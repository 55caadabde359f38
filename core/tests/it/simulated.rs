//! A disk in memory whose power can be cut at any call, that can be full, fail and rot. What happens at a cut follows
//! from its seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use regatta_core::log::journal::{Disk, DiskFile, Space};

/// What the operating system keeps or forgets at once.
const PAGE: usize = 4_096;
/// What a disk writes at once.
const SECTOR: usize = 512;

/// What becomes of unsynced bytes and names when the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Vanishes,
    Survives,
    /// Each page, sector, size and name for itself.
    AtRandom,
}

/// Random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Bytes that do not repeat: blocks of them are not packed.
    pub(crate) fn noise(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.roll(256) as u8).collect()
    }
}

type Id = usize;

#[derive(Debug, Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Pages that differ from what is synced.
    dirty: BTreeSet<usize>,
}

/// What is known under a path: a file, or nothing for a folder.
type Names = BTreeMap<PathBuf, Option<Id>>;

/// One change of names: all of it survives or nothing.
type Change = Vec<(PathBuf, Option<Option<Id>>)>;

#[derive(Debug, Clone)]
struct State {
    inodes: Vec<Inode>,
    names: Names,
    synced_names: Names,
    /// By folder, in order.
    changes: Vec<(PathBuf, Change)>,
    capacity: u64,
    /// Bytes that can be used in truth.
    quota: u64,
    /// Changing calls until the power is cut.
    calls_left: Option<u64>,
    /// Syncs of files until they fail.
    syncs_left: Option<u64>,
    /// Syncs of files that were done.
    syncs: u64,
    /// Whether syncs wait.
    is_busy: bool,
    /// What cannot be read.
    bad: Vec<(Id, Range<u64>)>,
    /// Writes that did not fit.
    refused: u64,
    dice: Dice,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// It is no longer busy.
    idle: Arc<Condvar>,
}

#[derive(Debug)]
struct OpenFile {
    disk: SimulatedDisk,
    id: Id,
    writable: bool,
}

fn cut() -> io::Error {
    io::Error::other("the power was cut")
}

fn apply(names: &mut Names, change: &Change) {
    for (path, to) in change {
        match to {
            Some(to) => drop(names.insert(path.clone(), *to)),
            None => drop(names.remove(path)),
        }
    }
}

impl SimulatedDisk {
    /// An empty disk, large, with power. The folder exists.
    pub(crate) fn new(folder: &Path, seed: u64) -> Self {
        let names: Names = folder.ancestors().map(|folder| (folder.to_owned(), None)).collect();
        let state = State {
            inodes: Vec::new(),
            synced_names: names.clone(),
            names,
            changes: Vec::new(),
            capacity: 1 << 40,
            quota: 1 << 40,
            calls_left: None,
            syncs_left: None,
            syncs: 0,
            is_busy: false,
            bad: Vec::new(),
            refused: 0,
            dice: Dice(seed),
        };
        Self::of(state)
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), idle: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power after so many more changing calls; that last one is done in part.
    pub(crate) fn cut_after(&self, calls: u64) {
        self.state().calls_left = Some(calls);
    }

    /// Lets every sync of a file fail after so many more. As on Linux, what it should have written is forgotten.
    pub(crate) fn fail_syncs_after(&self, syncs: u64) {
        self.state().syncs_left = Some(syncs);
    }

    /// Lets syncs of files wait while it is busy.
    pub(crate) fn set_busy(&self, is_busy: bool) {
        self.state().is_busy = is_busy;
        self.idle.notify_all();
    }

    /// How many syncs of files were done.
    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Lets every read fail that touches these bytes of a file.
    pub(crate) fn fail_reads(&self, path: &Path, bytes: Range<u64>) {
        let mut state = self.state();
        let id = state.names[path].expect("a file");
        state.bad.push((id, bytes));
    }

    /// Lets syncs and reads work again.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.syncs_left = None;
        state.bad.clear();
    }

    /// What is found when the power comes back. This disk is dead from now on.
    pub(crate) fn after_a_cut(&self, unsynced: Unsynced) -> Self {
        let mut state = self.state();
        state.calls_left = Some(0);
        let mut after = state.clone();
        after.calls_left = None;
        after.syncs_left = None;
        let changes = std::mem::take(&mut after.changes);
        for (_, change) in &changes {
            let survives = match unsynced {
                Unsynced::Vanishes => false,
                Unsynced::Survives => true,
                Unsynced::AtRandom => after.dice.roll(2) == 0,
            };
            if survives {
                apply(&mut after.synced_names, change);
            }
        }
        after.names = after.synced_names.clone();
        // A name in a folder that vanished is gone with it.
        let names = after.names.clone();
        after.names.retain(|path, _| path.parent().is_none_or(|folder| names.contains_key(folder)));
        after.synced_names = after.names.clone();
        for inode in &mut after.inodes {
            inode.lose(unsynced, &mut after.dice);
        }
        after.dice.roll(2);
        Self::of(after)
    }

    /// Another disk with the same content.
    pub(crate) fn copy(&self) -> Self {
        Self::of(self.state().clone())
    }

    /// Lets the disk hold so much, and say so.
    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Lets the disk hold so much, and not say so.
    pub(crate) fn set_quota(&self, bytes: u64) {
        self.state().quota = bytes;
    }

    /// Whether the power was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.state().calls_left == Some(0)
    }

    /// How many writes did not fit.
    pub(crate) fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Bytes in files.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        let id = state.names[path].expect("a file");
        state.inodes[id].bytes.clone()
    }

    /// Puts other bytes into a file, as rot would.
    pub(crate) fn replace(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let id = state.names[path].expect("a file");
        state.inodes[id] = Inode { synced: bytes.clone(), bytes, dirty: BTreeSet::new() };
    }

    /// Flips one bit of a file.
    pub(crate) fn flip(&self, path: &Path, bit: usize) {
        let mut state = self.state();
        let id = state.names[path].expect("a file");
        state.inodes[id].bytes[bit / 8] ^= 1 << (bit % 8);
    }

    fn file(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.powered()?;
        let id = state.names.get(path).copied().flatten().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(OpenFile { disk: self.clone(), id, writable }))
    }
}

impl Inode {
    fn lose(&mut self, unsynced: Unsynced, dice: &mut Dice) {
        let survived = match unsynced {
            Unsynced::Vanishes => self.synced.clone(),
            Unsynced::Survives => self.bytes.clone(),
            Unsynced::AtRandom => self.mixed(dice),
        };
        *self = Self { synced: survived.clone(), bytes: survived, dirty: BTreeSet::new() };
    }

    fn mixed(&self, dice: &mut Dice) -> Vec<u8> {
        let mut mixed = self.synced.clone();
        mixed.resize(self.bytes.len().max(self.synced.len()), 0);
        for page in &self.dirty {
            let fate = dice.roll(5);
            for sector in 0..PAGE / SECTOR {
                let survives = fate < 2 || (fate == 4 && dice.roll(2) == 0);
                let from = page * PAGE + sector * SECTOR;
                let until = (from + SECTOR).min(self.bytes.len());
                if survives && from < until {
                    mixed[from..until].copy_from_slice(&self.bytes[from..until]);
                }
            }
        }
        let size = if dice.roll(2) == 0 { self.bytes.len() } else { self.synced.len() };
        mixed.truncate(size);
        mixed
    }

    fn touch(&mut self, from: usize, until: usize) {
        self.dirty.extend(from / PAGE..until.div_ceil(PAGE));
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        let until = at + bytes.len();
        if self.bytes.len() < until {
            self.bytes.resize(until, 0);
        }
        self.bytes[at..until].copy_from_slice(bytes);
        self.touch(at, until);
    }
}

impl State {
    fn powered(&self) -> io::Result<()> {
        if self.calls_left == Some(0) { Err(cut()) } else { Ok(()) }
    }

    /// Counts a changing call. Says whether the power is cut in it.
    fn change(&mut self) -> io::Result<bool> {
        self.powered()?;
        self.calls_left = self.calls_left.map(|left| left - 1);
        Ok(self.calls_left == Some(0))
    }

    fn rename_or_more(&mut self, folder: &Path, change: Change) -> io::Result<()> {
        let is_cut = self.change()?;
        // Cut in the middle: it did not happen, or is not synced.
        if is_cut && self.dice.roll(2) == 0 {
            return Err(cut());
        }
        apply(&mut self.names, &change);
        self.changes.push((folder.to_owned(), change));
        if is_cut { Err(cut()) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        let linked: BTreeSet<Id> = self.names.values().flatten().copied().collect();
        linked.iter().map(|id| self.inodes[*id].bytes.len() as u64).sum()
    }

    fn grow(&self, id: Id, size: usize) -> io::Result<()> {
        let more = (size as u64).saturating_sub(self.inodes[id].bytes.len() as u64);
        if self.used() + more > self.capacity.min(self.quota) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(path, false)
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(path, true)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let id = state.inodes.len();
        state.inodes.push(Inode::default());
        let folder = path.parent().expect("a folder");
        if !state.names.contains_key(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // An emptied file is as a new one: both may be lost or kept until synced.
        state.rename_or_more(folder, vec![(path.to_owned(), Some(Some(id)))])?;
        drop(state);
        Ok(Arc::new(OpenFile { disk: self.clone(), id, writable: true }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let id = state.names.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(from.parent(), to.parent());
        let change = vec![(from.to_owned(), None), (to.to_owned(), Some(id))];
        state.rename_or_more(to.parent().expect("a folder"), change)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.rename_or_more(path.parent().expect("a folder"), vec![(path.to_owned(), None)])
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.powered()?;
        state.names.get(folder).ok_or(io::ErrorKind::NotFound)?;
        let within = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(within.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        let parent = folder.parent().expect("a folder");
        assert!(state.names.contains_key(parent), "only the last folder is ever missing");
        if state.names.contains_key(folder) {
            return state.powered();
        }
        state.rename_or_more(parent, vec![(folder.to_owned(), Some(None))])
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        let is_cut = state.change()?;
        state.names.get(folder).ok_or(io::ErrorKind::NotFound)?;
        if is_cut && state.dice.roll(2) == 0 {
            return Err(cut());
        }
        let changes = std::mem::take(&mut state.changes);
        for (changed, change) in changes {
            if changed == folder {
                apply(&mut state.synced_names, &change);
            } else {
                state.changes.push((changed, change));
            }
        }
        if is_cut { Err(cut()) } else { Ok(()) }
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.state();
        state.powered()?;
        Ok(Space { free: state.capacity.saturating_sub(state.used()), total: state.capacity })
    }
}

impl DiskFile for OpenFile {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.powered()?;
        let bytes = &state.inodes[self.id].bytes;
        let from = usize::try_from(at).expect("offset").min(bytes.len());
        let len = into.len().min(bytes.len() - from);
        let read = from as u64..(from + len) as u64;
        if state.bad.iter().any(|(id, bad)| *id == self.id && bad.start < read.end && read.start < bad.end) {
            return Err(io::Error::from_raw_os_error(5));
        }
        into[..len].copy_from_slice(&bytes[from..from + len]);
        Ok(len)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        assert!(self.writable);
        let mut state = self.disk.state();
        let is_cut = state.change()?;
        let at = usize::try_from(at).expect("offset");
        let full = state.grow(self.id, at + bytes.len());
        state.refused += u64::from(full.is_err());
        // A write that does not come to its end leaves any part of it.
        let len = if is_cut || full.is_err() { state.dice.roll(bytes.len() as u64 + 1) as usize } else { bytes.len() };
        let room = usize::try_from(state.capacity.min(state.quota).saturating_sub(state.used())).unwrap_or(usize::MAX);
        let size = state.inodes[self.id].bytes.len();
        let len = len.min(size.saturating_add(room).saturating_sub(at));
        state.inodes[self.id].write(&bytes[..len], at);
        if is_cut { Err(cut()) } else { full }
    }

    fn sync(&self) -> io::Result<()> {
        let busy = self.disk.idle.wait_while(self.disk.state(), |state| state.is_busy);
        let mut state = busy.unwrap_or_else(PoisonError::into_inner);
        state.syncs += 1;
        let is_cut = state.change()?;
        if let Some(left) = state.syncs_left {
            if left == 0 {
                state.inodes[self.id].dirty.clear();
                return Err(io::Error::other("the disk is on fire"));
            }
            state.syncs_left = Some(left - 1);
        }
        if is_cut && state.dice.roll(2) == 0 {
            return Err(cut());
        }
        let inode = &mut state.inodes[self.id];
        let size = inode.bytes.len();
        inode.synced.resize(size, 0);
        for page in std::mem::take(&mut inode.dirty) {
            let (from, until) = ((page * PAGE).min(size), ((page + 1) * PAGE).min(size));
            inode.synced[from..until].copy_from_slice(&inode.bytes[from..until]);
        }
        if is_cut { Err(cut()) } else { Ok(()) }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.powered()?;
        Ok(state.inodes[self.id].bytes.len() as u64)
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        assert!(self.writable);
        let mut state = self.disk.state();
        let is_cut = state.change()?;
        if is_cut && state.dice.roll(2) == 0 {
            return Err(cut());
        }
        let size = usize::try_from(bytes).expect("size");
        let inode = &mut state.inodes[self.id];
        let before = inode.bytes.len();
        inode.bytes.resize(size, 0);
        inode.touch(before.min(size), before.max(size));
        if is_cut { Err(cut()) } else { Ok(()) }
    }
}
