//! A log in numbers.

use std::collections::BTreeMap;
use std::fs;

use regatta_core::log::stats::{Amount, Family, Stats};
use regatta_core::log::{Reader, stats};
use regatta_core::{Append, Expect, Kind, Seq};

use crate::given::{append, draft, open, stream};

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
    let sizes: Vec<u64> = sizes.map(|entry| entry.expect("entry").metadata().expect("size").len()).collect();
    let (output, run) = (Amount { events: 40, payload_bytes: 4_000 }, Amount { events: 160, payload_bytes: 1_600 });
    let then = Stats {
        segments: sizes.len() as u64,
        disk_bytes: sizes.iter().sum(),
        all: Amount { events: 200, payload_bytes: 5_600 },
        kinds: BTreeMap::from([(Kind::ATTEMPT_OUTPUT, output), (Kind::RUN_DECIDED, run)]),
        families: BTreeMap::from([
            ("output".to_owned(), Family { streams: 2, amount: output }),
            ("run".to_owned(), Family { streams: 2, amount: run }),
        ]),
        head: Seq(200),
        first_at_us: Some(1_000),
        last_at_us: Some(200_000),
    };
    assert_eq!(stats(&Reader::open(dir.path()).expect("opens")).expect("counted"), then);
    assert!(then.segments > 3);
}
