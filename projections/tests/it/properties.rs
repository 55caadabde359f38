//! What holds for every legal history.

use std::sync::Arc;

use proptest::prelude::*;
use regatta_core::log::MemoryLog;
use regatta_core::{Envelope, Kind, Log as _, Seq};
use regatta_projections::attempts::AttemptState;
use regatta_projections::runs::{RunFilter, RunState};
use regatta_projections::timeline::{TimelineFilter, read};
use regatta_projections::{Projection as _, Views, follow, snapshot};

use crate::history::{append, views};
use crate::walk::{Terrain, Walk};

const TERRAIN: Terrain = Terrain { runs_max: 3, attempts_max: 4, output_weight: 2, calm: 2 };

fn choices() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..400)
}

fn bytes(views: &Views) -> String {
    String::from_utf8(snapshot::save(views)).expect("text")
}

/// Everything there is to see, as JSON.
fn seen(views: &Views, now_us: u64) -> String {
    let mut seen = vec![];
    for row in views.runs.list(&RunFilter::default(), 500).rows {
        let id = row.id;
        seen.push(serde_json::to_string(&row).expect("json"));
        seen.push(serde_json::to_string(&views.run(id)).expect("json"));
        seen.push(serde_json::to_string(&views.attempts.of_run(id, now_us)).expect("json"));
        seen.push(serde_json::to_string(&views.compare(id, now_us)).expect("json"));
        seen.push(serde_json::to_string(&views.timeline.lanes(id)).expect("json"));
    }
    seen.push(serde_json::to_string(&views.timeline.page(&TimelineFilter::default(), 1_000)).expect("json"));
    seen.push(serde_json::to_string(&views.fleet(now_us)).expect("json"));
    seen.join("\n")
}

fn live(events: &[Envelope]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(async {
        let log = MemoryLog::default();
        let (follower, live) = follow(Arc::new(log.clone()), Views::default());
        let task = tokio::spawn(follower.run());
        for part in events.chunks(50) {
            append(&log, part);
            tokio::task::yield_now().await;
        }
        live.wait_for(log.head()).await.expect("follows");
        let seen = live.read(bytes);
        drop(live);
        task.await.expect("task").expect("ended well");
        seen
    })
}

/// What must hold of views at any moment of a legal history.
fn check_sound(views: &Views, now_us: u64) {
    let progress = views.progress();
    assert_eq!((progress.faults, progress.strays), (0, 0), "{:?}", progress.last_fault);
    let fleet = views.fleet(now_us);
    let mut waiting = 0;
    for row in views.runs.list(&RunFilter::default(), 500).rows {
        let counts = row.attempts;
        let stand = counts.queued + counts.starting + counts.setup + counts.running + counts.collecting;
        let stand = stand + counts.checking + counts.retrying + counts.cancelling;
        let over = counts.passed + counts.checks_failed + counts.unchanged + counts.agent_failed;
        let over = over + counts.timed_out + counts.cancelled + counts.failed;
        assert!(stand + over <= counts.total, "{counts:?}");
        assert!(row.finished_at_us.is_some() || stand + over == counts.total, "{counts:?}");
        let attempts = views.attempts.of_run(row.id, now_us);
        waiting += attempts
            .iter()
            .filter(|one| matches!(one.state, AttemptState::Queued { .. } | AttemptState::Retrying { .. }))
            .count();
        assert!(attempts.iter().filter(|one| one.is_winner).count() <= 1);
        let comparison = views.compare(row.id, now_us).expect("run");
        let grouped: usize = comparison.groups.iter().map(|group| group.slots.len()).sum();
        assert_eq!(grouped, comparison.columns.iter().filter(|column| column.stat.is_some()).count());
        check_lanes(views, row.id);
    }
    assert_eq!(fleet.queue.len(), waiting);
    assert_eq!(fleet.totals.waiting, waiting as u64);
}

fn check_lanes(views: &Views, run: regatta_core::RunId) {
    let lanes = views.timeline.lanes(run).expect("lanes");
    for lane in &lanes.attempts {
        let open = lane.spans.iter().filter(|span| span.end_us.is_none()).count();
        assert!(open <= 1, "{:?}", lane.spans);
        assert!(lane.spans.iter().all(|span| span.end_us.is_none_or(|end_us| end_us >= span.start_us)));
        let is_over = views
            .attempt(regatta_core::AttemptId { run, slot: lane.slot }, 0)
            .is_some_and(|attempt| attempt.state.is_finished());
        assert!(!is_over || open == 0, "an attempt that is over has an open span: {:?}", lane.spans);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rebuilt_live_and_restored_views_are_the_same(choices in choices(), put_down in any::<prop::sample::Index>()) {
        let walk = Walk::by(TERRAIN, &choices);
        let (events, log) = (&walk.history.events, walk.history.log());
        let told = views(events);
        let rebuilt = Views::rebuild(&log, None).expect("read");
        prop_assert_eq!(bytes(&rebuilt), bytes(&told));
        prop_assert_eq!(live(events), bytes(&told));

        let at = put_down.index(events.len() + 1);
        let mut restored: Views = snapshot::restore(&snapshot::save(&views(&events[..at]))).expect("snapshot");
        restored.catch_up(&log, None).expect("read");
        prop_assert_eq!(bytes(&restored), bytes(&told));
        prop_assert_eq!(&restored, &told);
        prop_assert_eq!(seen(&restored, walk.history.now_us()), seen(&told, walk.history.now_us()));
    }

    #[test]
    fn views_are_sound_at_any_moment(choices in choices()) {
        let walk = Walk::by(TERRAIN, &choices);
        let mut views = Views::default();
        for envelope in &walk.history.events {
            views.apply(envelope);
            if envelope.seq.0 % 7 == 0 {
                check_sound(&views, envelope.at_us);
            }
        }
        check_sound(&views, walk.history.now_us());
    }

    #[test]
    fn views_as_of_any_position_are_those_of_the_prefix(choices in choices(), cut in any::<prop::sample::Index>()) {
        let walk = Walk::by(TERRAIN, &choices);
        let at = cut.index(walk.history.events.len() + 1);
        let rebuilt = Views::rebuild(&walk.history.log(), Some(Seq(at as u64))).expect("read");
        prop_assert_eq!(bytes(&rebuilt), bytes(&views(&walk.history.events[..at])));
    }

    #[test]
    fn lines_from_memory_and_from_the_log_are_the_same(choices in choices(), attempt in 0_usize..4) {
        let walk = Walk::by(TERRAIN, &choices);
        let id = crate::history::attempt(crate::history::run(1), attempt);
        for filter in [TimelineFilter::default(), TimelineFilter { attempt: Some(id), ..TimelineFilter::default() }] {
            let mut kept = walk.history.views().timeline.page(&filter, 1_000).rows;
            kept.iter_mut().for_each(|entry| entry.cause_seq = None);
            prop_assert_eq!(kept, read(&walk.history.log(), &filter, 1_000).expect("read").rows);
        }
    }
}

/// Long walks reach every kind of event and every end of a run; else the properties above would say little.
#[test]
fn walks_reach_every_kind_and_every_end() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut states = std::collections::BTreeSet::new();
    for seed in 0..20_u32 {
        let mut walk = Walk::new(TERRAIN);
        let mut number = seed;
        let mut views = Views::default();
        for _ in 0..2_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            walk.step(number >> 8);
            for envelope in walk.history.take() {
                kinds.insert(envelope.kind);
                views.apply(&envelope);
            }
            states.extend(views.runs.list(&RunFilter::default(), 3).rows.into_iter().map(|row| row.state));
        }
    }
    let ours = |kind: &Kind| ["run", "attempt", "sandbox", "delivery"].contains(&kind.family());
    let never = Kind::ALL.iter().filter(|(kind, _)| ours(kind) && !kinds.contains(kind));
    assert_eq!(never.map(|(_, name)| *name).collect::<Vec<_>>(), [""; 0]);
    // Attempts are queued after the base is pinned, so `preparing` is never seen.
    assert_eq!(states.len(), 10, "{states:?}");
    assert!(!states.contains(&RunState::Preparing));
}
