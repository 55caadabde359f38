//! Whatever is done to it, the log on disk behaves as the log in memory.

use proptest::prelude::*;
use regatta_core::log::{DurableLog, MemoryLog, Options, verify};
use regatta_core::{Append, Expect, Log, ReadMax, Seq};

use crate::given::{copied, draft, small, stream};

const STREAMS: [&str; 4] = ["run/a", "run/b", "output/a.a", "run"];

#[derive(Debug, Clone)]
enum Step {
    /// Several at once, so that they share a group.
    Append(Vec<(usize, Expect, Vec<usize>, Option<u8>)>),
    Stop,
    Crash,
    LoseIndex,
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![6 => Just(Expect::Any), 1 => Just(Expect::Empty), 3 => (0..6_u64).prop_map(Expect::At)]
}

fn step() -> impl Strategy<Value = Step> {
    let payloads = proptest::collection::vec(prop_oneof![9 => 0..300_usize, 1 => 0..20_000_usize], 0..4);
    let append = (0..STREAMS.len(), expect(), payloads, proptest::option::weighted(0.3, 0..4_u8));
    prop_oneof![
        12 => proptest::collection::vec(append, 1..6).prop_map(Step::Append),
        1 => Just(Step::Stop),
        1 => Just(Step::Crash),
        1 => Just(Step::LoseIndex),
    ]
}

fn same(durable: &dyn Log, memory: &dyn Log) -> Result<(), TestCaseError> {
    prop_assert_eq!(durable.head(), memory.head());
    for max in [ReadMax { events: usize::MAX, bytes: usize::MAX }, ReadMax { events: 5, bytes: 700 }] {
        for from in [1, memory.head().0 / 2, memory.head().0] {
            prop_assert_eq!(durable.read(Seq(from), max).expect("read"), memory.read(Seq(from), max).expect("read"));
            for name in STREAMS {
                let read = |log: &dyn Log| log.read_stream(&stream(name), from / 3, max).expect("read");
                prop_assert_eq!(read(durable), read(memory), "{} from {}", name, from / 3);
            }
            prop_assert_eq!(
                durable.seq_at(from * 1_000 + 1).expect("read"),
                memory.seq_at(from * 1_000 + 1).expect("read")
            );
        }
    }
    Ok(())
}

fn drafts(n: &mut u64, lens: &[usize], key: Option<u8>) -> Vec<regatta_core::Draft> {
    let mut events: Vec<_> = lens
        .iter()
        .map(|len| {
            *n += 1;
            draft(*n, vec![b'x'; *len])
        })
        .collect();
    if let (Some(first), Some(key)) = (events.first_mut(), key) {
        first.dedup = Some(format!("key-{key}").into());
    }
    events
}

fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let memory = MemoryLog::default();
    let mut dir = tempfile::tempdir().expect("folder");
    let options = |dir: &tempfile::TempDir| Options { segment_bytes: 16 << 10, ..small(dir.path()) };
    let mut durable = DurableLog::open(options(&dir)).expect("opens");
    let mut n = 0;
    for step in steps {
        match &step {
            Step::Append(appends) => {
                let appends: Vec<Append> = appends
                    .iter()
                    .map(|(to, expect, lens, key)| Append {
                        stream: stream(STREAMS[*to]),
                        expect: *expect,
                        events: drafts(&mut n, lens, *key),
                    })
                    .collect();
                let pending: Vec<_> = appends.iter().map(|append| durable.submit(append.clone())).collect();
                for (append, pending) in appends.into_iter().zip(pending) {
                    let then = memory.submit(append).blocking_recv().expect("answered");
                    prop_assert_eq!(pending.blocking_recv().expect("answered"), then);
                }
            }
            Step::Stop => durable.clone().close().expect("stops"),
            Step::Crash | Step::LoseIndex => {
                dir = copied(dir.path());
                if matches!(step, Step::LoseIndex) {
                    std::fs::remove_dir_all(dir.path().join("index")).expect("removed");
                }
            }
        }
        if !matches!(step, Step::Append(_)) {
            durable = DurableLog::open(options(&dir)).expect("opens");
        }
        same(&durable, &memory)?;
    }
    durable.close().expect("stops");
    let report = verify(dir.path()).expect("verifies");
    prop_assert!(report.is_clean() && report.head == memory.head() && report.unfinished_bytes == 0, "{:?}", report);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_log_on_disk_is_the_log_in_memory(steps in proptest::collection::vec(step(), 1..24)) {
        check(steps)?;
    }
}
