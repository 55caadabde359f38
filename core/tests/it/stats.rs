//! A log in numbers.

use std::collections::BTreeMap;
use std::fs;

use regatta_core::log::stats::{Amount, Family, Stats};
use regatta_core::log::{DurableLog, Reader, stats};
use regatta_core::{Append, Expect, Kind, Seq};

use crate::given::{append, draft, open, sealing, stream};

#[test]
fn a_log_is_counted_by_kind_and_by_family_of_streams() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    assert_eq!(stats(log.reader()).expect("counted").all, Amount::default());
    // Every fifth event is output, and two streams of each family take turns.
    for n in 1..=200_u64 {
        let (family, kind, bytes) =
            if n % 5 == 0 { ("output", Kind::ATTEMPT_OUTPUT, 100) } else { ("run", Kind::RUN_DECIDED, 10) };
        let to = stream(&format!("{family}/{}", n % 2));
        let event = regatta_core::Draft { kind, ..draft(n, vec![b'x'; bytes]) };
        append(&log, Append { stream: to, expect: Expect::Any, events: vec![event] }).expect("appended");
    }
    log.close().expect("stops");
    let sizes = fs::read_dir(dir.path().join("journal")).expect("folder");
    let mut sizes: Vec<_> = sizes.map(|entry| entry.expect("entry").path()).collect();
    sizes.sort();
    let sizes: Vec<u64> = sizes.iter().map(|path| fs::metadata(path).expect("size").len()).collect();
    let (output, run) = (Amount { events: 40, payload_bytes: 4_000 }, Amount { events: 160, payload_bytes: 1_600 });
    let then = Stats {
        segments: sizes.len() as u64,
        sealed: 0,
        disk_bytes: sizes.iter().sum(),
        all: Amount { events: 200, payload_bytes: 5_600 },
        kinds: BTreeMap::from([(Kind::ATTEMPT_OUTPUT, output), (Kind::RUN_DECIDED, run)]),
        families: BTreeMap::from([
            ("output".to_owned(), Family { streams: 2, amount: output }),
            ("run".to_owned(), Family { streams: 2, amount: run }),
        ]),
        first: Seq(1),
        head: Seq(200),
        first_at_us: Some(1_000),
        last_at_us: Some(200_000),
        sealed_bytes: 0,
        sealed_from_bytes: 0,
    };
    assert_eq!(stats(&Reader::open(dir.path()).expect("opens")).expect("counted"), then);
    assert!(then.segments > 3);
    // Sealed segments say the same of themselves.
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    while log.reader().segment_files().expect("listed").iter().rev().skip(1).any(|file| file.sealed.is_none()) {
        std::thread::yield_now();
    }
    log.close().expect("stops");
    let sealed = stats(&Reader::open(dir.path()).expect("opens")).expect("counted");
    assert_eq!((sealed.sealed, sealed.sealed_from_bytes), (then.segments - 1, sizes.iter().rev().skip(1).sum()));
    assert!(sealed.disk_bytes > sealed.sealed_bytes && sealed.sealed_bytes > 0);
    let Stats { disk_bytes, .. } = then;
    assert_eq!(Stats { sealed: 0, disk_bytes, sealed_bytes: 0, sealed_from_bytes: 0, ..sealed }, then);
}
