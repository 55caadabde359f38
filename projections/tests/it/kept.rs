//! Views over restarts: from a snapshot, from a damaged one, from none, they are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use regatta_core::event::run::{RunOutcome, Strategy as RunStrategy};
use regatta_core::log::{MemoryLog, Snapshots};
use regatta_core::{Envelope, Log as _, Seq};
use regatta_projections::attempts::LAST_WORDS_BYTES_MAX;
use regatta_projections::runs::RunFilter;
use regatta_projections::{Keeping, Projection as _, RUNS_ENDED_OPEN_MAX, Views, follow_kept, snapshot};

use crate::history::{History, append, attempt, entry, request, run, views};
use crate::walk::{Terrain, Walk};

const TERRAIN: Terrain = Terrain { runs_max: 3, attempts_max: 4, output_weight: 2, calm: 2 };

fn bytes(views: &Views) -> String {
    String::from_utf8(snapshot::save(views)).expect("text")
}

/// One life of a server's views: from where the last one stood, over these events, with a snapshot after so many.
fn live(log: &MemoryLog, dir: &Path, events: &[Envelope], snapshot_events: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
    runtime.block_on(async {
        let snapshots = Snapshots::of(dir);
        let keeping = Keeping { snapshots, events: snapshot_events, every: Duration::from_secs(3_600) };
        let (follower, live) = follow_kept(Arc::new(log.clone()), keeping, || None);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let following = tokio::spawn(follower.run_until(async { drop(stopped.await) }));
        for part in events.chunks(20) {
            append(log, part);
            live.wait_for(log.head()).await.expect("follows");
        }
        stop.send(()).expect("it listens");
        following.await.expect("task").expect("ended well");
        live.read(bytes)
    })
}

fn kept(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("snapshots")).map(|entries| entries.map(|entry| entry.expect("entry").path()));
    let mut kept: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
    kept.sort();
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn views_over_restarts_are_those_folded_from_the_beginning(
        choices in prop::collection::vec(any::<u32>(), 50..400),
        lives in 1_usize..4,
        snapshot_events in 1_u64..100,
        damaged in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
    ) {
        let events = Walk::by(TERRAIN, &choices).history.events;
        let (dir, log) = (tempfile::tempdir().expect("folder"), MemoryLog::default());
        for part in events.chunks(events.len().div_ceil(lives)) {
            let seen = live(&log, dir.path(), part, snapshot_events);
            prop_assert_eq!(seen, bytes(&Views::rebuild(&log, None).expect("read")));
        }
        // A clean stop leaves nothing to fold.
        prop_assert_eq!(Snapshots::of(dir.path()).reach("views").expect("reach"), log.head());

        let kept = kept(dir.path());
        let victim = &kept[damaged.index(kept.len())];
        let mut content = fs::read(victim).expect("snapshot");
        let place = at.index(content.len());
        content[place] ^= 0x10;
        fs::write(victim, content).expect("damage");
        prop_assert_eq!(live(&log, dir.path(), &[], 1_000_000), bytes(&views(&events)));
        prop_assert_eq!(Snapshots::of(dir.path()).reach("views").expect("reach"), log.head());
    }

    #[test]
    fn a_look_back_from_a_snapshot_is_one_from_the_beginning(
        choices in prop::collection::vec(any::<u32>(), 50..300),
        until in any::<prop::sample::Index>(),
    ) {
        let events = Walk::by(TERRAIN, &choices).history.events;
        let (dir, log) = (tempfile::tempdir().expect("folder"), MemoryLog::default());
        live(&log, dir.path(), &events, 40);
        let until = until.index(events.len() + 1);
        let snapshots = Snapshots::of(dir.path());
        let seen = Views::as_of(&log, Some(&snapshots), Seq(until as u64)).expect("read");
        prop_assert_eq!(bytes(&seen), bytes(&views(&events[..until])));
    }
}

/// So many runs of one attempt that printed something, one after the other.
fn many(count: usize) -> History {
    let mut history = History::new();
    for number in 0..count {
        let (id, one) = (run(number as u128), attempt(run(number as u128), 0));
        let asked = request(RunStrategy::All, &[entry("claude")], &["test"]);
        history.requested(id, asked).prepared(id).running(one);
        let said = format!("{number} said {}", "a lot ".repeat(1_000));
        history.printed(
            one,
            regatta_core::event::attempt::Phase::Agent,
            regatta_core::event::attempt::Channel::Out,
            said.as_bytes(),
        );
        history.worked(one, "patch", &["a.rs"]).checked(one, 0, 0);
        history.over(one, regatta_core::event::attempt::Outcome::Passed).run_finished(id, RunOutcome::Undecided);
    }
    history
}

#[test]
fn runs_long_over_take_little_and_say_the_same() {
    let count = RUNS_ENDED_OPEN_MAX + 50;
    let mut history = many(count);
    let all = history.views();
    let page = all.runs.list(&RunFilter::default(), 500);
    assert_eq!((page.rows.len(), all.runs.count()), (count, count));
    let alone = many(1).views();
    let (old, new) = (all.run(run(0)).expect("run"), alone.run(run(0)).expect("run"));
    assert_eq!(old, new, "a packed run is shown as an open one");
    assert_eq!(page.rows.last(), Some(&new.row));
    assert_eq!(all.timeline.lanes(run(0)), alone.timeline.lanes(run(0)));
    let (old, new) = (all.attempts.of_run(run(0), 0).remove(0), alone.attempts.of_run(run(0), 0).remove(0));
    assert_eq!(old.output_tail.text.len(), LAST_WORDS_BYTES_MAX);
    assert!(new.output_tail.text.ends_with(&old.output_tail.text));
    assert_eq!(old.output_tail.bytes_before, new.out_bytes - LAST_WORDS_BYTES_MAX as u64);
    assert_eq!((&old.changes, &old.state, old.out_bytes), (&new.changes, &new.state, new.out_bytes));
    let per_run = |count| {
        let views = many(count).views();
        serde_json::to_vec(&(&views.runs, &views.attempts)).expect("json").len() / count
    };
    assert!(per_run(RUNS_ENDED_OPEN_MAX * 4) < per_run(RUNS_ENDED_OPEN_MAX) / 2);

    history.picked(run(0), 0);
    let picked = history.views();
    assert_eq!(picked.run(run(0)).expect("run").row.winner, regatta_core::Slot::new(0));
    let restored: Views = snapshot::restore(&snapshot::save(&picked)).expect("snapshot");
    assert_eq!((restored.seq(), &restored), (picked.seq(), &picked));
}
