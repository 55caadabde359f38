//! Group commit: one block and one sync for everything that waits.

use std::sync::Arc;

use regatta_core::log::verify::verify_on;
use regatta_core::log::{DurableLog, Options};
use regatta_core::{Expect, Log};

use crate::given::{append, one};
use crate::simulated::SimulatedDisk;

#[test]
fn what_comes_while_the_disk_is_busy_shares_one_block_and_one_sync() {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let options = Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, seal: false, ..Options::new(dir.path()) };
    let log = DurableLog::open(options).expect("opens");
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    let so_far = || (verify_on(&disk, dir.path()).expect("verifies").blocks, disk.syncs());
    let before = so_far();
    disk.set_busy(true);
    let pending: Vec<_> = (2..=100).map(|n| log.submit(one("run/a", Expect::Any, n))).collect();
    disk.set_busy(false);
    for appended in pending {
        appended.blocking_recv().expect("answered").expect("appended");
    }
    let after = so_far();
    let (blocks, syncs) = (after.0 - before.0, after.1 - before.1);
    // The one the disk was busy with, and everything that came meanwhile.
    assert!((1..=2).contains(&blocks), "{blocks} blocks");
    assert_eq!(syncs, blocks);
}
