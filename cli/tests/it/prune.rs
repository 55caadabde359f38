//! Old events go from a real server: only what a backup holds and nobody needs, and everything says so clearly.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::Install;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// With small files of the log, so that a few runs fill some; and a person with a token.
fn given() -> Install {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    fs::write(install.data().join("regatta.toml"), "[log]\nsegment = \"16KiB\"\n").expect("configuration");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["user", "add", "ben", "--role", "viewer"]).exits(0);
    install.regatta(&["token", "create", "laptop", "--user", "ben"]).exits(0);
    install
}

/// Runs that are over; their ids.
fn runs(install: &Install, count: usize) -> Vec<String> {
    let ask = ["-a", "command=seq 3000; echo changed >> file", "--sandbox", "host"];
    (0..count).map(|_| install.race(&ask, 0)).collect()
}

/// A clean stop puts the views down.
fn restart(install: &Install) {
    install.regatta(&["down"]).exits(0);
    install.regatta(&["up", "--detach"]).exits(0);
}

fn backup(install: &Install) -> PathBuf {
    let to = install.folder().join("archive");
    install.regatta(&["log", "backup", text(&to)]).exits(0);
    to
}

fn text(path: &Path) -> &str {
    path.to_str().expect("path")
}

/// Asks until what is said fits: segments are sealed in the background.
fn prune_until(install: &Install, flags: &[&str], fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let all: Vec<&str> = ["log", "prune", "--older-than", "1ms"].iter().chain(flags).copied().collect();
        let pruned = install.view(&all);
        if fits(&pruned) {
            return pruned;
        }
        assert!(began.elapsed() < PATIENCE, "{pruned}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come to hold");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn count(pruned: &Value) -> usize {
    pruned["segments"].as_array().map_or(0, Vec::len)
}

fn reason(pruned: &Value) -> &str {
    pruned["reason"].as_str().expect("reason")
}

/// The rows of `regatta ls`, without what changes by itself.
fn listed(install: &Install) -> String {
    let rows = install.view(&["ls"]).get("rows").cloned().unwrap_or_default();
    serde_json::to_string(&rows).expect("rows")
}

/// What is gone is said, with where the log begins and which backup has the rest.
fn check_gone(install: &Install, gone: &str, first: u64, archive: &Path) {
    let first = format!("the log begins with event {first}");
    for ask in [
        &["replay", gone, "--speed", "max"][..],
        &["log", "tail", "--from", "1"],
        &["ls", "--as-of", "1"],
        &["ls", "--as-of", "2001-01-01T00:00:00Z"],
    ] {
        install.regatta(ask).exits(3).says(&first).says(text(archive));
    }
    install.regatta(&["log", "export", "--from", "1"]).exits(4).says(&first).says(text(archive));
    install.regatta(&["pick", gone, "a"]).exits(3).says("is archived");
}

/// What is kept is whole, and who may do what is known though the facts are gone.
fn check_kept(install: &Install, first: u64, archive: &Path) {
    let begins = format!("the log begins with event {first}");
    install.regatta(&["log", "verify"]).exits(0).says(&begins).says(text(archive));
    install.regatta(&["log", "stats"]).exits(0).says(&begins);
    let exported = install.regatta(&["log", "export"]).exits(0).says(&begins);
    assert!(exported.out.starts_with(&format!("{{\"seq\":{first},")), "{}", exported.out);
    assert!(exported.out.contains("\"name\":\"log.released\""));
    let tokens = install.view(&["token", "ls"]);
    assert!(tokens.to_string().contains("laptop"), "{tokens}");
}

/// Without its index the log is the same, and goes on; without snapshots the views are built from the backup, too.
fn check_without_index_and_snapshots(install: &Install, gone: &str, before: &str, archive: &Path) {
    install.regatta(&["down"]).exits(0);
    for folder in ["index", "snapshots"] {
        fs::remove_dir_all(install.data().join(folder)).expect("removed");
    }
    install.regatta(&["up", "--detach"]).exits(0);
    until(|| listed(install) == before);
    // Where there is no backup any more, runs that began before are not listed, and everything else goes on.
    install.regatta(&["down"]).exits(0);
    fs::remove_dir_all(install.data().join("snapshots")).expect("removed");
    let away = install.folder().join("away");
    fs::rename(archive, &away).expect("moved");
    install.regatta(&["up", "--detach"]).exits(0);
    until(|| !listed(install).contains(gone));
    let told = fs::read_to_string(install.data().join("server.log")).expect("log");
    assert!(told.contains("runs that began before are not listed"), "{told}");
    fs::rename(&away, archive).expect("moved back");
    let last = runs(install, 1).remove(0);
    install.regatta(&["replay", &last, "--speed", "max"]).exits(0);
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
}

/// The archive and the log together are the whole log.
fn check_whole(install: &Install, gone: &str, head: u64, archive: &Path) {
    backup(install);
    let whole = install.folder().join("whole");
    let restored = ["log", "restore", "--from", text(archive), "--data-dir", text(&whole)];
    install.regatta(&restored).exits(0).says("intact, hash ");
    let stats = install.view(&["log", "stats", "--data-dir", text(&whole)]);
    let number = |name| stats.get(name).and_then(Value::as_u64);
    assert_eq!((number("first"), number("events")), (Some(1), number("head")), "{stats}");
    assert!(number("head") > Some(head));
    install.regatta(&["log", "verify", "--data-dir", text(&whole)]).exits(0);
    install.regatta(&["up", "--detach", "--data-dir", text(&whole)]).exits(0);
    install.regatta(&["replay", gone, "--speed", "max", "--data-dir", text(&whole)]).exits(0);
    install.regatta(&["down", "--data-dir", text(&whole)]).exits(0);
}

#[test]
fn old_events_go_once_a_backup_holds_them_and_everything_goes_on() {
    let install = given();
    install.regatta(&["log", "prune"]).exits(2).says("nothing says how much of the log is to be kept");
    let over = runs(&install, 5);
    prune_until(&install, &[], |pruned| reason(pruned).contains("the views are kept up to event 0 only"));
    restart(&install);
    let pruned = prune_until(&install, &[], |pruned| reason(pruned).contains("is in no backup"));
    assert_eq!((count(&pruned), pruned["first"].as_u64()), (0, Some(1)), "{pruned}");
    let archive = backup(&install);
    let before = listed(&install);
    let compared = install.regatta(&["compare", &over[0]]).exits(0).out;
    let head = install.view(&["log", "stats"])["head"].as_u64().expect("head");

    let wished = prune_until(&install, &["--dry-run"], |pruned| count(pruned) > 1);
    assert_eq!(install.view(&["log", "stats"])["first"], 1, "it was only asked");
    let pruned = prune_until(&install, &[], |_| true);
    assert_eq!(pruned["archive"].as_str(), Some(text(&archive)));
    assert!(count(&pruned) >= count(&wished), "{pruned}");
    let first = pruned["first"].as_u64().expect("first");
    assert!(first > 1 && first <= head, "{first} of {head}");

    for _ in 0..2 {
        // Runs that are over stay listed, and what they came to is shown.
        assert_eq!(listed(&install), before);
        assert_eq!(install.regatta(&["compare", &over[0]]).exits(0).out, compared);
        check_gone(&install, &over[0], first, &archive);
        check_kept(&install, first, &archive);
        restart(&install);
    }
    check_without_index_and_snapshots(&install, &over[0], &before, &archive);
    check_whole(&install, &over[0], head, &archive);
}

#[test]
fn a_run_under_way_keeps_its_events_and_a_schedule_archives_what_it_removes() {
    let install = given();
    runs(&install, 2);
    let gate = install.folder().join("gate");
    let waits = format!("command=while [ ! -e {} ]; do sleep 0.05; done; echo changed >> file", gate.display());
    let live = install.regatta(&["run", "x", "-a", &waits, "--sandbox", "host"]).exits(0).out.trim().to_owned();
    runs(&install, 3);
    restart(&install);
    let archive = backup(&install);
    let wanted = format!("run {live} is under way");
    prune_until(&install, &["--dry-run"], |pruned| reason(pruned).contains(&wanted));
    let pruned = prune_until(&install, &[], |_| true);
    assert!(reason(&pruned).contains(&wanted), "{pruned}");
    fs::write(&gate, "").expect("open");
    install.regatta(&["watch", &live]).exits(0);

    // Now on a schedule, to the folder the configuration names.
    install.regatta(&["down"]).exits(0);
    let written = format!(
        "[log]\nsegment = \"16KiB\"\nretain_age = \"1ms\"\nretain_every = \"100ms\"\narchive = {:?}\n",
        text(&archive)
    );
    fs::write(install.data().join("regatta.toml"), written).expect("configuration");
    install.regatta(&["up", "--detach"]).exits(0);
    let began = Instant::now();
    let before = pruned["first"].as_u64();
    while install.view(&["log", "stats"])["first"].as_u64() <= before {
        assert!(began.elapsed() < PATIENCE, "nothing is removed");
        std::thread::sleep(Duration::from_millis(50));
    }
    install.regatta(&["replay", &live, "--speed", "max"]).exits(3).says(text(&archive));
    install.regatta(&["log", "verify", "--data-dir", text(&archive)]).exits(0);
    // Another backup does not hold what is gone here, and says so.
    let another = install.folder().join("another");
    install.regatta(&["log", "backup", text(&another)]).exits(0).says(text(&archive)).says("and not in this one");
}

#[test]
fn asking_what_would_go_leaves_no_server_behind() {
    let install = Install::new();
    let asked = ["log", "prune", "--older-than", "1d", "--dry-run"];
    install.regatta(&asked).exits(0);
    assert!(install.view(&["down"])["stopped"].is_null(), "it was started to be asked only");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&asked).exits(0);
    assert!(install.view(&["down"])["stopped"].is_u64(), "one that ran goes on");
}
