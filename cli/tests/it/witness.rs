//! A witness outside the data directory: told by the server, compared with by `log verify --witness`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::install::{Done, Install};

/// An install whose server ran with a witness and recorded a little.
fn witnessed(witness: &Path) -> Install {
    let install = Install::new();
    let up = |extra: &str| {
        let mut command = install.command(&["up", "--detach", "--limit", extra]);
        command.env("REGATTA_WITNESS_FILE", witness).env("REGATTA_WITNESS_EVERY", "60m");
        assert!(command.status().expect("server").success());
        install.regatta(&["down"]).exits(0);
    };
    // Each start with another limit is an event. The hour is never over, so each server tells at its end alone.
    for limit in ["2", "3", "4"] {
        up(limit);
    }
    install
}

/// The data directory of an install, kept beside it.
fn copy_of(install: &Install) -> PathBuf {
    let copy = install.folder().join("older");
    let copied = Command::new("cp").arg("-r").arg(install.data()).arg(&copy).status().expect("cp");
    assert!(copied.success());
    copy
}

fn verify(data: &Path, witness: &str) -> impl Fn(&Install) -> Done {
    let data = data.to_str().expect("path").to_owned();
    move |install| install.regatta(&["log", "verify", "--data-dir", &data, "--witness", witness])
}

#[test]
fn a_log_that_was_rewritten_or_shortened_is_caught_by_the_witness_only() {
    let folder = tempfile::tempdir().expect("folder");
    let witness = folder.path().join("witness.jsonl");
    let install = witnessed(&witness);
    let heard = fs::read_to_string(&witness).expect("heard");
    assert_eq!(heard.lines().count(), 3, "{heard}");
    let compare = |data: &Path| verify(data, witness.to_str().expect("path"))(&install);
    let export = install.regatta(&["log", "export"]).exits(0).out;
    // The last line says only that it is the last.
    let events = export.lines().count() - 1;
    let same = compare(&install.data()).exits(0);
    let agrees = format!("the witness agrees: it was told 3 times, the last one at event {events}");
    assert!(same.out.contains(&agrees), "{}", same.out);
    let rebuilt = |name: &str, lines: &str| {
        let data = install.folder().join(name);
        let file = install.folder().join(format!("{name}.jsonl"));
        fs::write(&file, lines).expect("written");
        let data_dir = data.to_str().expect("path");
        install.regatta(&["log", "import", file.to_str().expect("path"), "--data-dir", data_dir]).exits(0);
        let unnamed = compare(&data).exits(2);
        unnamed.says("has a log, but no file `install` that says whose").says("hint: copy the file `install`");
        fs::copy(install.data().join("install"), data.join("install")).expect("copied");
        // An import is not said to be a forgery; whoever forges notes no import.
        let imported = compare(&data);
        assert!(imported.err.contains("the log was imported, or restored from NATS"), "{}", imported.err);
        assert!(!imported.out.contains(" had hash ") || imported.out.contains("the log ends at "), "{}", imported.out);
        fs::remove_file(data.join("RESTORED")).expect("the note of an import");
        install.regatta(&["log", "verify", "--data-dir", data_dir]).exits(0);
        data
    };
    assert_eq!(export.matches("--limit").count(), 3, "{export}");
    let last = export.rfind("--limit").expect("a value of the last event");
    let (before, after) = export.split_at(last);
    let changed = format!("{before}{}", after.replacen("--limit", "default", 1));
    let told = compare(&rebuilt("changed", &changed)).exits(1);
    assert!(
        told.out.contains("the witness disagrees:") && told.out.contains(&format!("event {events} had hash")),
        "{}",
        told.out
    );
    let mut shorter: String = export.split_inclusive('\n').take(events - 1).collect();
    shorter.push_str(&format!("{{\"end\":{0},\"events\":{0}}}\n", events - 1));
    let told = compare(&rebuilt("shorter", &shorter)).exits(1);
    let ends = format!("the log ends at {}", events - 1);
    assert!(told.out.contains(&format!("event {events} had hash")) && told.out.contains(&ends), "{}", told.out);
    let json = install.regatta(&["log", "verify", "--witness", witness.to_str().expect("path"), "--json"]);
    assert_eq!(
        json.exits(0).json().pointer("/witness/agreed").and_then(serde_json::Value::as_u64),
        Some(events as u64)
    );
}

#[test]
fn a_witness_that_cannot_be_one_is_refused_and_one_that_is_away_stops_nothing() {
    let install = Install::new();
    let up = |file: &Path| {
        let mut command = install.command(&["up", "--detach"]);
        command.env("REGATTA_WITNESS_FILE", file).env("REGATTA_WITNESS_EVERY", "10ms");
        command.output().expect("server")
    };
    let inside = up(&install.data().join("witness.jsonl"));
    let told = String::from_utf8_lossy(&inside.stderr).into_owned();
    assert!(told.contains("is inside the data directory") && told.contains("hint: name a file elsewhere"), "{told}");
    let away = install.folder().join("not there/witness.jsonl");
    assert!(up(&away).status.success());
    let began = Instant::now();
    let told = loop {
        let told = install.regatta(&["doctor", "--json"]).json();
        let findings = told.as_array().expect("a list");
        let witness = findings.iter().find(|finding| finding["name"] == "witness").expect("it is named").clone();
        if witness["level"] == "warn" {
            break witness["detail"].as_str().expect("text").to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{witness}");
    };
    assert!(told.starts_with("witness.file cannot be told where the log stands: "), "{told}");
    let stats = install.regatta(&["log", "stats"]).exits(0).out;
    assert!(stats.contains("witness.file: cannot be told where the log stands: "), "{stats}");
    let stats = install.regatta(&["log", "stats", "--json"]).exits(0).json();
    assert!(stats["witnesses"][0]["failed"].is_string(), "{stats}");
    install.regatta(&["down"]).exits(0);
    let log = fs::read_to_string(install.data().join("server.log")).expect("log");
    assert_eq!(log.matches("the witness cannot be told where the log stands").count(), 1, "{log}");
    let missing = away.to_str().expect("path");
    install.regatta(&["log", "verify", "--witness", missing]).exits(2).says("cannot be compared with: ");
    let other = install.folder().join("other.jsonl");
    fs::write(&other, "").expect("empty");
    let empty = install.regatta(&["log", "verify", "--witness", other.to_str().expect("path")]).exits(2);
    empty.says("has heard nothing of install").says("hint: set witness.file");
}

#[test]
fn a_witness_that_contradicts_is_told_nothing_more_and_said_until_a_person_acts() {
    let folder = tempfile::tempdir().expect("folder");
    let witness = folder.path().join("witness.jsonl");
    let install = witnessed(&witness);
    let older = copy_of(&install);
    let up = |limit: &str| {
        let mut command = install.command(&["up", "--detach", "--limit", limit]);
        command.env("REGATTA_WITNESS_FILE", &witness).env("REGATTA_WITNESS_EVERY", "60m");
        Done::of(command.output().expect("server")).exits(0)
    };
    let down = || install.regatta(&["down"]).exits(0);
    for limit in ["5", "6"] {
        assert!(!up(limit).err.contains("contradicts"), "the log and the witness are one");
        down();
    }
    let heard = fs::read_to_string(&witness).expect("heard");
    // Somebody puts an older copy back, and the server goes on past what the witness heard.
    fs::remove_dir_all(install.data()).expect("removed");
    fs::rename(&older, install.data()).expect("put back");
    for (limit, says) in [("7", "and the log ends at "), ("8", " than the log has"), ("9", " than the log has")] {
        up(limit).says("witness.file contradicts the log: it heard ").says(says).says("move the witness's file away");
        let doctor = install.regatta(&["doctor", "--json"]).exits(1).json();
        let finding = doctor.as_array().expect("a list").iter().find(|finding| finding["name"] == "witness");
        assert_eq!(finding.map(|finding| finding["level"].clone()), Some("fail".into()), "{doctor}");
        let stats = install.regatta(&["log", "stats"]).exits(0).says("log verify --witness FILE");
        assert!(stats.out.contains("witness.file: contradicts the log: it heard "), "{}", stats.out);
        down();
        assert_eq!(fs::read_to_string(&witness).expect("heard"), heard, "what it heard is covered up");
    }
    fs::rename(&witness, folder.path().join("seen.jsonl")).expect("moved");
    assert!(!up("10").err.contains("contradicts"), "a person has seen it");
    down();
    assert_eq!(fs::read_to_string(&witness).expect("heard").lines().count(), 1);
}

#[cfg(feature = "nats")]
#[test]
fn a_stream_of_nats_that_contradicts_is_told_nothing_more() {
    let Some(nats) = crate::nats_server::Nats::start() else { return };
    let url = nats.server().url;
    let install = Install::new();
    let up = |limit: &str| {
        let mut command = install.command(&["up", "--detach", "--nats", &url, "--limit", limit]);
        command.env("REGATTA_WITNESS_NATS", "on").env("REGATTA_WITNESS_EVERY", "60m");
        Done::of(command.output().expect("server")).exits(0)
    };
    up("2");
    install.regatta(&["down"]).exits(0);
    let older = copy_of(&install);
    up("3");
    install.regatta(&["down"]).exits(0);
    let heard = || install.regatta(&["log", "verify", "--witness", &url, "--json"]).json()["witness"]["heard"].clone();
    assert_eq!(heard(), 2);
    fs::remove_dir_all(install.data()).expect("removed");
    fs::rename(&older, install.data()).expect("put back");
    up("4").says("witness.nats contradicts the log: it heard ").says("remove the stream REGATTA_WITNESS");
    install.regatta(&["doctor"]).exits(1);
    install.regatta(&["down"]).exits(0);
    assert_eq!(heard(), 2, "what it heard is covered up");
}

#[cfg(feature = "nats")]
#[test]
fn a_stream_of_nats_is_a_witness_that_lets_nothing_go() {
    let Some(nats) = crate::nats_server::Nats::start() else { return };
    let url = nats.server().url;
    let install = Install::new();
    let mut command = install.command(&["up", "--detach", "--nats", &url]);
    command.env("REGATTA_WITNESS_NATS", "on").env("REGATTA_WITNESS_EVERY", "20ms");
    assert!(command.status().expect("server").success());
    install.regatta(&["down"]).exits(0);
    let told = install.regatta(&["log", "verify", "--witness", &url]).exits(0);
    assert!(told.out.contains("the witness agrees: it was told "), "{}", told.out);
}
