//! Measures how many events a second the views take: a mixed history of a million events, made by the walk the
//! properties are tested with. Prints one row; run it with `--release`.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement prints, and shares the tests' histories"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use regatta_projections::{Projection as _, Views, snapshot};

#[path = "../tests/it/history.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod history;
#[path = "../tests/it/walk.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod walk;

use walk::{Terrain, Walk};

/// Events measured.
const EVENTS: u64 = 1_000_000;

fn main() {
    // Ten runs of up to 16 attempts at once; output is most of what is said, as it is in earnest.
    let mut walk = Walk::new(Terrain { runs_max: 10, attempts_max: 16, output_weight: 16, calm: 256 });
    let mut views = Views::default();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut taken, mut bytes, mut number) = (0_u64, 0_u64, 1_u32);
    let (mut spent, mut spent_cpu) = (Duration::ZERO, Duration::ZERO);
    while taken < EVENTS {
        // Made in parts, so that making them is not measured and does not need the memory of all.
        for _ in 0..20_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            walk.step(number >> 8);
        }
        let part = walk.history.take();
        let (begun, begun_cpu) = (Instant::now(), cpu());
        for envelope in &part {
            views.apply(envelope);
        }
        spent += begun.elapsed();
        spent_cpu += cpu().saturating_sub(begun_cpu);
        for envelope in &part {
            taken += 1;
            bytes += envelope.payload.len() as u64;
            *kinds.entry(envelope.kind.name().unwrap_or("unknown")).or_default() += 1;
        }
    }
    let progress = views.progress();
    assert_eq!((progress.faults, progress.strays), (0, 0), "{:?}", progress.last_fault);
    let rate = |spent: Duration| u128::from(taken) * 1_000_000 / spent.as_micros().max(1);
    println!("events {taken}  payload_bytes {bytes}  runs {}", views.runs.count());
    println!("events_per_s {}  events_per_cpu_s {}", rate(spent), rate(spent_cpu));
    let begun = Instant::now();
    let kept = snapshot::save(&views);
    let saved = begun.elapsed();
    let restored: Views = snapshot::restore(&kept).expect("snapshot");
    let read = begun.elapsed() - saved;
    assert!(restored == views, "a snapshot reads back as the same");
    println!("snapshot_bytes {}  save_ms {}  restore_ms {}", kept.len(), saved.as_millis(), read.as_millis());
    for (kind, count) in kinds {
        println!("  {kind:<26} {count}");
    }
}

/// Processor time of this thread: what counts on a machine that does other things, too. 0 where the kernel does not say.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}
