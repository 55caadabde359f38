//! Sealed segments are read again in the background.

use std::fs;
use std::time::Duration;

use regatta_core::Expect;
use regatta_core::log::scrub::Scrubbed;
use regatta_core::log::{DurableLog, Options};

use crate::given::{append, one, small};

#[test]
fn rot_in_a_sealed_segment_is_found_in_the_background_and_forgotten_when_it_is_mended() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(Options { scrub_every: Duration::from_millis(1), ..small(dir.path()) }).expect("opens");
    for n in 1..=100 {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    let sealed = fs::read_dir(dir.path().join("journal")).expect("folder").count() as u64 - 1;
    assert!(sealed > 2);
    let mut scrubbed = log.scrubbed();
    let mut wait = |until: &dyn Fn(&Scrubbed) -> bool| {
        runtime.block_on(scrubbed.wait_for(|scrubbed| until(scrubbed))).expect("it goes on").clone()
    };
    let found = wait(&|found| found.segments >= 2 * sealed);
    assert_eq!(found.faults, []);
    let path = dir.path().join("journal/00000000000000000001.seg");
    let whole = fs::read(&path).expect("segment");
    // A bit in the middle of a block, and blocks cut off where one ends.
    let mut rotten = whole.clone();
    rotten[5_000] ^= 4;
    for damaged in [rotten, whole[..4_096].to_vec()] {
        fs::write(&path, damaged).expect("damage");
        let found = wait(&|found| !found.faults.is_empty());
        assert!(found.faults[0].place.starts_with("journal/00000000000000000001.seg at byte "), "{found:?}");
        append(&log, one("run/a", Expect::Any, 101)).expect("the log goes on");
        fs::write(&path, &whole).expect("restored");
        wait(&|found| found.faults.is_empty());
    }
    log.close().expect("stops");
    assert!(runtime.block_on(scrubbed.wait_for(|_| false)).is_err(), "nothing is read any more");
}
