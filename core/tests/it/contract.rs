//! The contract of a log, as one suite that every log passes.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use regatta_core::log::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX, MemoryLog};
use regatta_core::{Append, AppendError, Appended, Expect, Kind, Log, ReadMax, Seq};

use crate::given::{append, draft, keyed, one, open, stream};

/// Shows that both logs do what `then` says.
fn check(then: fn(Arc<dyn Log>)) {
    then(Arc::new(MemoryLog::default()));
    let dir = tempfile::tempdir().expect("folder");
    then(Arc::new(open(dir.path())));
}

fn seqs(log: &dyn Log, from: u64, max: ReadMax) -> Vec<u64> {
    log.read(Seq(from), max).expect("read").iter().map(|event| event.seq.0).collect()
}

#[test]
fn events_come_back_in_order_and_as_they_were_appended() {
    check(|log| {
        for n in 1..=20 {
            let to = if n % 2 == 0 { "run/even" } else { "run/odd" };
            let appended = append(&*log, one(to, Expect::Any, n)).expect("appended");
            assert_eq!((appended.first, appended.last, appended.duplicate), (Seq(n), Seq(n), false));
        }
        let events = log.read(Seq(1), ReadMax::default()).expect("read");
        assert_eq!(events.len(), 20);
        for (event, n) in events.iter().zip(1..) {
            let given = draft(n, format!("{{\"n\":{n}}}"));
            assert_eq!((event.seq, event.stream_seq), (Seq(n), n.div_ceil(2)));
            assert_eq!((event.id, event.kind, event.version, event.at_us), (given.id, given.kind, 1, given.at_us));
            assert_eq!((&event.actor, event.cause, event.correlation), (&given.actor, given.cause, given.correlation));
            assert_eq!((&event.dedup, &event.payload), (&None, &given.payload));
        }
    });
}

#[test]
fn an_append_of_many_events_stands_together() {
    check(|log| {
        append(&*log, one("run/a", Expect::Empty, 1)).expect("appended");
        let events = (2..=5).map(|n| draft(n, "x")).collect();
        let appended = append(&*log, Append { stream: stream("run/a"), expect: Expect::At(1), events });
        let then = Appended { first: Seq(2), last: Seq(5), stream_seq: 5, duplicate: false };
        assert_eq!(appended, Ok(then));
        assert_eq!(log.head(), Seq(5));
    });
}

#[test]
fn a_wrong_belief_is_a_conflict_and_writes_nothing() {
    check(|log| {
        let conflict = |expected, actual| Err(AppendError::Conflict { stream: stream("run/a"), expected, actual });
        assert_eq!(append(&*log, one("run/a", Expect::At(1), 1)), conflict(Expect::At(1), 0));
        append(&*log, one("run/a", Expect::At(0), 1)).expect("a stream without events is at 0");
        assert_eq!(append(&*log, one("run/a", Expect::Empty, 2)), conflict(Expect::Empty, 1));
        assert_eq!(append(&*log, one("run/a", Expect::At(2), 2)), conflict(Expect::At(2), 1));
        append(&*log, one("run/b", Expect::Empty, 2)).expect("another stream is not concerned");
        assert_eq!(seqs(&*log, 1, ReadMax::default()), [1, 2]);
    });
}

#[test]
fn a_conflict_does_not_disturb_its_neighbours() {
    check(|log| {
        let pending: Vec<_> = (1..=30)
            .map(|n| log.submit(one("run/a", if n % 3 == 0 { Expect::Empty } else { Expect::Any }, n)))
            .collect();
        let answers: Vec<_> = pending.into_iter().map(|pending| pending.blocking_recv().expect("answered")).collect();
        for (answer, n) in answers.iter().zip(1..) {
            assert_eq!(answer.is_ok(), n % 3 != 0, "{n}: {answer:?}");
        }
        assert_eq!(seqs(&*log, 1, ReadMax::default()), (1..=20).collect::<Vec<u64>>());
    });
}

#[test]
fn a_repeated_dedup_key_gets_the_first_answer() {
    check(|log| {
        append(&*log, one("run/a", Expect::Any, 1)).expect("appended");
        let mut first = keyed("run/a", Expect::At(1), 2, "key");
        first.events.push(draft(3, "second of the append"));
        let answer = append(&*log, first.clone()).expect("appended");
        assert_eq!(answer, Appended { first: Seq(2), last: Seq(3), stream_seq: 3, duplicate: false });
        append(&*log, one("run/a", Expect::Any, 4)).expect("appended");
        assert_eq!(append(&*log, first), Ok(Appended { duplicate: true, ..answer }), "even with a belief now wrong");
        assert_eq!(append(&*log, keyed("run/b", Expect::Any, 5, "key")).expect("appended").first, Seq(5), "per stream");
        assert_eq!(log.head(), Seq(5));
    });
}

#[test]
fn the_same_key_twice_at_once_is_written_once() {
    check(|log| {
        let pending: Vec<_> = (1..=8).map(|n| log.submit(keyed("run/a", Expect::Any, n, "key"))).collect();
        for (pending, n) in pending.into_iter().zip(1..) {
            let answer = pending.blocking_recv().expect("answered").expect("appended");
            assert_eq!((answer.first, answer.duplicate), (Seq(1), n > 1));
        }
        assert_eq!(log.head(), Seq(1));
    });
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    check(|log| {
        let with = |events| Append { stream: stream("run/a"), expect: Expect::Any, events };
        let mut misplaced = with(vec![draft(1, ""), draft(2, "")]);
        misplaced.events[1].dedup = Some("key".into());
        let mut long_key = with(vec![draft(1, "")]);
        long_key.events[0].dedup = Some("k".repeat(129).into());
        for append_wrong in [
            with(vec![]),
            with((0..=APPEND_EVENTS_MAX as u64).map(|n| draft(n, "")).collect()),
            with(vec![draft(1, vec![0; APPEND_BYTES_MAX + 1])]),
            misplaced,
            long_key,
        ] {
            let answer = append(&*log, append_wrong);
            assert!(matches!(answer, Err(AppendError::OutOfBounds(_))), "{answer:?}");
        }
        assert_eq!(log.head(), Seq(0));
        let largest = with(vec![draft(1, vec![7; APPEND_BYTES_MAX])]);
        append(&*log, largest).expect("the largest append fits");
        append(&*log, with((0..APPEND_EVENTS_MAX as u64).map(|n| draft(n, "")).collect()))
            .expect("so do the most events");
        assert_eq!(log.read(Seq(1), ReadMax::default()).expect("read")[0].payload.len(), APPEND_BYTES_MAX);
    });
}

#[test]
fn reading_keeps_to_its_bounds() {
    check(|log| {
        for n in 1..=10 {
            let events = vec![draft(n, vec![b'x'; 100])];
            append(&*log, Append { stream: stream("run/a"), expect: Expect::Any, events }).expect("appended");
        }
        let max = |events, bytes| ReadMax { events, bytes };
        assert_eq!(seqs(&*log, 0, max(3, 1 << 20)), [1, 2, 3]);
        assert_eq!(seqs(&*log, 4, max(100, 250)), [4, 5]);
        assert_eq!(seqs(&*log, 4, max(100, 0)), [4], "one at least");
        assert_eq!(seqs(&*log, 4, max(0, 100)), [0; 0]);
        assert_eq!(seqs(&*log, 11, max(100, 100)), [0; 0]);
        assert_eq!(seqs(&*log, u64::MAX, max(100, 100)), [0; 0]);
        let in_stream = |from, max| -> Vec<u64> {
            let events = log.read_stream(&stream("run/a"), from, max).expect("read");
            events.iter().map(|event| event.stream_seq).collect()
        };
        assert_eq!(in_stream(3, max(2, 1 << 20)), [3, 4]);
        assert_eq!(in_stream(3, max(100, 250)), [3, 4]);
        assert_eq!(in_stream(11, max(100, 100)), [0; 0]);
    });
}

#[test]
fn a_stream_is_read_without_the_others() {
    check(|log| {
        for n in 1..=300 {
            append(&*log, one(["run/a", "run/b", "run/ab"][n as usize % 3], Expect::Any, n)).expect("appended");
        }
        let events = log.read_stream(&stream("run/a"), 51, ReadMax::default()).expect("read");
        let places: Vec<(u64, u64)> = events.iter().map(|event| (event.stream_seq, event.seq.0)).collect();
        assert_eq!(places, (51..=100).map(|n| (n, 3 * n)).collect::<Vec<_>>());
        assert!(events.iter().all(|event| event.stream == stream("run/a")));
        assert_eq!(log.read_stream(&stream("run/c"), 0, ReadMax::default()).expect("read"), []);
    });
}

#[test]
fn payloads_that_are_not_wanted_stay_behind() {
    check(|log| {
        for n in 1..=4 {
            let mut append_one = one("run/a", Expect::Any, n);
            if n % 2 == 0 {
                append_one.events[0].kind = Kind::ATTEMPT_OUTPUT;
                append_one.events[0].payload = Bytes::from(vec![0; 1 << 10]);
            }
            append(&*log, append_one).expect("appended");
        }
        let events = log.read_skipping(Seq(1), ReadMax::default(), &[Kind::ATTEMPT_OUTPUT]).expect("read");
        let shown: Vec<&[u8]> = events.iter().map(|event| &*event.payload).collect();
        assert_eq!(shown, [b"{\"n\":1}" as &[u8], b"", b"{\"n\":3}", b""]);
    });
}

#[test]
fn the_last_event_of_a_moment_is_found() {
    check(|log| {
        assert_eq!(log.seq_at(u64::MAX).expect("read"), Seq(0));
        for n in 1..=200 {
            append(&*log, one("run/a", Expect::Any, n)).expect("appended");
        }
        for (at_us, then) in [(0, 0), (999, 0), (1_000, 1), (1_001, 1), (77_500, 77), (200_000, 200), (u64::MAX, 200)] {
            assert_eq!(log.seq_at(at_us).expect("read"), Seq(then), "{at_us}");
        }
    });
}

#[test]
fn the_watch_carries_the_head() {
    check(|log| {
        let mut watch = log.watch();
        assert_eq!(*watch.borrow_and_update(), Seq(0));
        append(&*log, one("run/a", Expect::Any, 1)).expect("appended");
        assert!(watch.has_changed().expect("log lives"));
        assert_eq!((*watch.borrow_and_update(), log.head()), (Seq(1), Seq(1)));
        append(&*log, one("run/a", Expect::Empty, 2)).expect_err("conflict");
        assert!(!watch.has_changed().expect("log lives"));
    });
}

#[test]
fn a_cursor_misses_nothing_and_sees_nothing_twice() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 250;
    check(|log| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let log = log.clone();
                thread::spawn(move || {
                    let to = format!("run/{writer}");
                    for n in 0..EACH {
                        append(&*log, one(&to, Expect::At(n), writer * EACH + n)).expect("appended");
                    }
                })
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let mut watch = log.watch();
        let mut next = Seq(1);
        while next.0 <= WRITERS * EACH {
            let events = log.read(next, ReadMax { events: 7, bytes: 1 << 20 }).expect("read");
            for event in &events {
                assert_eq!(event.seq, next);
                next = next.next();
            }
            if events.is_empty() {
                runtime.block_on(watch.changed()).expect("log lives");
            }
        }
        for writer in writers {
            writer.join().expect("writer");
        }
        for writer in 0..WRITERS {
            let events = log.read_stream(&stream(&format!("run/{writer}")), 1, ReadMax::default()).expect("read");
            assert_eq!(events.len() as u64, EACH);
        }
    });
}
