//! Bounds: what goes past one is stopped, and said with numbers.

use regatta_sandboxes::{Bounds, Exec, Exit, Stdio};

use super::promises;
use crate::place::{Place, all, sh};

promises! {
    memory_is_bounded
    processes_are_bounded
    the_disk_is_bounded
    one_file_is_bounded
    output_is_bounded
    there_are_no_core_files
}

const ROOMY: Bounds = Bounds { memory_bytes_max: 1 << 30, processes_max: 200, disk_bytes_max: 1 << 30 };

/// Runs a command that must be stopped, and gives what was said about it.
async fn over(place: &Place, bounds: Bounds, exec: &Exec) -> String {
    let mut spec = place.spec("a");
    spec.bounds = bounds;
    place.provider.create(&spec).await.unwrap();
    let exit = place.ran("a", exec).await.ended.exit;
    let Exit::OverLimit(what) = exit else { panic!("{exit:?}") };
    what
}

async fn memory_is_bounded(place: Place) {
    // Without a line end `tail` keeps everything.
    let hog = sh("main", "head -c 3000000000 /dev/zero | tail");
    let what = over(&place, Bounds { memory_bytes_max: 100 << 20, ..ROOMY }, &hog).await;
    assert!(what.contains("memory") && what.contains("104857600 allowed"), "{what}");
}

async fn processes_are_bounded(place: Place) {
    let many = sh("main", "i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; wait");
    let what = over(&place, Bounds { processes_max: 20, ..ROOMY }, &many).await;
    assert!(what.contains("processes") && what.contains("20 allowed"), "{what}");
}

async fn the_disk_is_bounded(place: Place) {
    let script = "cd $TMPDIR; i=0; while :; do head -c 1000000 /dev/zero > f$i; i=$(((i+1)%200)); sleep 0.01; done";
    let what = over(&place, Bounds { disk_bytes_max: 8 << 20, ..ROOMY }, &sh("main", script)).await;
    assert!(what.contains("disk") && what.contains("8388608 allowed"), "{what}");
}

async fn one_file_is_bounded(place: Place) {
    let mut big = sh("main", "exec head -c 100000000 /dev/zero > big");
    big.output_bytes_max = 1000;
    let what = over(&place, Bounds { disk_bytes_max: 2 << 20, ..ROOMY }, &big).await;
    assert!(what.contains("2097152"), "{what}");
    assert_eq!(place.aside("a", &["stat", "-c", "%s", "big"]).await, "2097152\n");
}

async fn output_is_bounded(place: Place) {
    let mut chatty = sh("main", "echo first >&2; yes");
    chatty.output_bytes_max = 100_000;
    let what = over(&place, ROOMY, &chatty).await;
    assert!(what.contains("output") && what.contains("100000 allowed"), "{what}");
    assert_eq!(all(&*place.provider, "a", "main", Stdio::Out).await.len(), 100_000);
    assert_eq!(all(&*place.provider, "a", "main", Stdio::Err).await, b"first\n");
}

async fn there_are_no_core_files(place: Place) {
    place.run("a", "ulimit -c unlimited 2>/dev/null; kill -SEGV $$").await;
    assert!(place.provider.untouched("a").await.unwrap());
}
