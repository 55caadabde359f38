//! What finished attempts left is cleaned and put back by the real server, and nothing is lost when it is killed meanwhile.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use regatta_core::BlobRef;
use serde_json::Value;

use crate::install::{Done, Install, until};

/// Times the server is killed while it cleans and puts back; fewer or more with `REGATTA_KILLS`.
const KILLS: u64 = 40;
/// Attempts of the run that is cleaned under kills.
const SLOTS: [&str; 4] = ["a", "b", "c", "d"];

fn text(path: &Path) -> &str {
    path.to_str().expect("path")
}

/// Leaves a change and an artifact of so many bytes that hardly pack.
fn leaves(word: &str, kib: u32) -> String {
    format!(
        "command=echo {word} >> file; head -c {} /dev/urandom > $REGATTA_ARTIFACTS/noise; echo {word} > \
         $REGATTA_ARTIFACTS/same",
        kib << 10
    )
}

/// A finished run that nobody decided.
fn finished(install: &Install, agents: &[String]) -> String {
    let mut ask = vec!["--strategy", "all", "--sandbox", "host"];
    agents.iter().for_each(|agent| ask.extend(["-a", agent.as_str()]));
    install.race(&ask, 1)
}

/// Every blob that is there, with the hash of its bytes.
fn blobs(install: &Install) -> BTreeMap<PathBuf, String> {
    let within = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let files = within(install.data().join("blobs")).flat_map(|folder| within(folder.path()));
    let hash = |path: &Path| BlobRef::of(&fs::read(path).expect("blob")).hash;
    files.map(|file| (file.path(), hash(&file.path()))).collect()
}

fn archives(install: &Install) -> Vec<String> {
    let found = fs::read_dir(install.data().join("cleaned")).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = found.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn kinds(install: &Install, run: &str) -> Vec<String> {
    let stream = format!("cleaning/{run}");
    let done = install.regatta(&["log", "tail", "--json", "--from", "1", "--stream", &stream]).exits(0);
    let events = done.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("json"));
    events.map(|event| event["kind"].as_str().expect("kind").to_owned()).collect()
}

#[test]
fn what_a_loser_left_goes_into_an_archive_and_comes_back_byte_for_byte() {
    let install = Install::new();
    let run = finished(&install, &[leaves("one", 40), leaves("two", 60), leaves("one", 20)]);
    install.regatta(&["pick", &run, "a"]).exits(0);
    install.regatta(&["watch", &run]);
    let before = blobs(&install);
    let loser = format!("{run}.b");
    let disk = install.view(&["disk"]);
    assert_eq!(disk["left"]["may_go"]["attempts"], 2, "{disk}");
    let shown = install.regatta(&["disk"]).exits(0).out;
    assert!(shown.contains("stays: it won") && shown.contains("regatta clean"), "{shown}");

    // Asked for, but nobody said yes; and what would be done.
    install.regatta(&["clean"]).exits(3).says("there is nobody to ask").says("--yes");
    let would = install.regatta(&["clean", "--dry-run"]).exits(0).out;
    assert!(would.contains("would clean 2 attempts"), "{would}");
    assert_eq!((blobs(&install), archives(&install)), (before.clone(), vec![]));
    install.regatta(&["clean", &format!("{run}.a"), "--yes"]).exits(3).says("nothing to clean");

    install.regatta(&["clean", "--yes"]).exits(0).says("cleaned 2 attempts");
    assert_eq!(archives(&install), [format!("{run}.b.tar.zst"), format!("{run}.c.tar.zst")]);
    // The third one's change is that of the winner, and so is one of its files: they stay.
    let after = blobs(&install);
    assert_eq!(before.len() - after.len(), 4, "{:?}", after.keys());
    install.regatta(&["show", &format!("{run}.a"), "--diff"]).exits(0);
    check_gone(&install, &loser);
    install.regatta(&["log", "verify"]).exits(0);
    // Once more there is nothing to do.
    install.regatta(&["clean", "--yes"]).exits(0).says("nothing to clean");

    // The backup has the archives, too.
    let to = install.folder().join("backup");
    install.regatta(&["log", "backup", text(&to)]).exits(0);
    assert!(to.join("cleaned").join(format!("{run}.b.tar.zst")).exists());

    install.regatta(&["clean", "--restore", &run, "--yes"]).exits(0).says("is back");
    assert_eq!((blobs(&install), archives(&install)), (before, vec![]));
    install.regatta(&["pick", &run, "b"]).exits(0);
    let told = kinds(&install, &run);
    assert_eq!(told.iter().filter(|kind| *kind == "cleaning.returned").count(), 2, "{told:?}");
    install.regatta(&["log", "verify"]).exits(0);
    install.regatta(&["log", "verify", "--data-dir", text(&to)]).exits(0);
}

/// Whoever needs what was cleaned is told how to have it back.
fn check_gone(install: &Install, attempt: &str) {
    let (run, slot) = attempt.split_once('.').expect("attempt");
    let hint = format!("regatta clean --restore {attempt}");
    for ask in [
        &["pick", run, slot][..],
        &["restore", attempt],
        &["synthesize", run, "--take", &format!("{slot}:file")],
        &["artifacts", attempt],
        &["artifacts", attempt, "noise"],
        &["show", attempt, "--diff"],
    ] {
        install.regatta(ask).exits(3).says("was cleaned").says(&hint);
    }
    let shown: Done = install.regatta(&["show", attempt]).exits(0);
    assert!(shown.out.contains(&hint), "{}", shown.out);
}

#[test]
fn archives_go_elsewhere_are_told_when_they_are_missing_and_are_forgotten_for_good() {
    let install = Install::new();
    let run = finished(&install, &[leaves("one", 30), leaves("two", 30)]);
    let elsewhere = install.folder().join("elsewhere");
    install.regatta(&["clean", "--to", text(&elsewhere), "--yes"]).exits(2).says("there is no folder");
    install.regatta(&["clean", "--to", text(&install.data()), "--yes"]).exits(2).says("is inside the data directory");
    fs::create_dir(&elsewhere).expect("folder");
    let taken = elsewhere.join(format!("{run}.a.tar.zst"));
    fs::write(&taken, "somebody's").expect("file");
    let done = install.regatta(&["clean", "--to", text(&elsewhere), "--yes"]).exits(4);
    assert!(done.err.contains("is there already, and is something else"), "{done:?}");
    assert_eq!(fs::read(&taken).expect("file"), b"somebody's");
    fs::remove_file(&taken).expect("removed");
    install.regatta(&["clean", "--to", text(&elsewhere), "--yes"]).exits(0).says("cleaned 1 attempt");
    assert_eq!((fs::read_dir(&elsewhere).expect("folder").count(), archives(&install)), (2, vec![]));

    let away = install.folder().join("away");
    fs::rename(&elsewhere, &away).expect("moved");
    let attempt = format!("{run}.a");
    let failed = install.regatta(&["clean", "--restore", &attempt, "--yes"]).exits(4);
    assert!(failed.err.contains("is not there"), "{failed:?}");
    let failed = install.regatta(&["clean", "--forget", &attempt, "--yes"]).exits(4);
    assert!(failed.err.contains("failed to remove"), "{failed:?}");
    fs::rename(&away, &elsewhere).expect("moved back");
    let archive = elsewhere.join(format!("{attempt}.tar.zst"));
    let whole = fs::read(&archive).expect("archive");
    fs::write(&archive, &whole[1..]).expect("damage");
    let failed = install.regatta(&["clean", "--restore", &attempt, "--yes"]).exits(4);
    assert!(failed.err.contains("is not the archive that was made"), "{failed:?}");
    fs::write(&archive, &whole).expect("mended");
    install.regatta(&["clean", "--restore", &attempt, "--yes"]).exits(0);
    assert!(!archive.exists());

    install.regatta(&["clean", "--forget", "--yes"]).exits(0).says("gone for good");
    assert_eq!(fs::read_dir(&elsewhere).expect("folder").count(), 0);
    install.regatta(&["clean", "--restore", &format!("{run}.b"), "--yes"]).exits(3).says("nothing to put back");
    install.regatta(&["show", &format!("{run}.b"), "--diff"]).exits(3).says("removed for good");
    assert_eq!(kinds(&install, &run).last().map(String::as_str), Some("cleaning.forgotten"));
    install.regatta(&["log", "verify"]).exits(0);
}

/// Sends both wishes to every attempt; most are refused at any moment, and an answer may never come.
fn wish(install: &Install, run: &str, round: u64) {
    let flags: &[&str] = if round.is_multiple_of(2) { &[] } else { &["--restore"] };
    let ask: Vec<&str> = ["clean", run, "--yes", "--json"].iter().chain(flags).copied().collect();
    install.regatta(&ask);
}

#[test]
fn a_server_killed_while_it_cleans_and_puts_back_loses_no_byte() {
    let kills = std::env::var("REGATTA_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let install = Install::new();
    // The last two left the same, so that each spares what the other one needs.
    let agents = [leaves("one", 300), leaves("two", 300), leaves("same", 0), leaves("same", 0)];
    let run = finished(&install, &agents);
    let before = blobs(&install);
    install.regatta(&["down"]).exits(0);
    let mut chance = std::env::var("REGATTA_SEED").map_or(0x5eed_c1ea, |seed| seed.parse().expect("a number"));
    println!("REGATTA_SEED={chance}");
    for kill in 0..kills {
        let log = fs::File::options().create(true).append(true).open(install.folder().join("server.log"));
        let server = install.command(&["up"]).stdout(Stdio::null()).stderr(log.expect("log")).spawn();
        let mut server = server.expect("server");
        until("the server answers", || (install.regatta(&["ls"]).code == 0).then_some(()));
        std::thread::scope(|scope| {
            scope.spawn(|| wish(&install, &run, kill));
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            // A moment of the cleaning, which takes some tens of milliseconds.
            std::thread::sleep(Duration::from_micros(chance % 120_000));
            server.kill().expect("kill");
            server.wait().expect("wait");
        });
        check_whole(&install, &run, &before);
    }
    install.regatta(&["up", "--detach"]).exits(0);
    until("nothing is under way", || {
        places(&install, &run).iter().all(|place| place == "here" || place == "archived").then_some(())
    });
    if places(&install, &run).contains(&"archived".to_owned()) {
        install.regatta(&["clean", "--restore", &run, "--yes"]).exits(0);
    }
    assert_eq!((blobs(&install), archives(&install)), (before, vec![]), "everything is back");
    install.regatta(&["log", "verify"]).exits(0);
    let told = kinds(&install, &run);
    assert!(
        told.contains(&"cleaning.removed".to_owned()) && told.contains(&"cleaning.returned".to_owned()),
        "{told:?}"
    );
}

fn places(install: &Install, run: &str) -> Vec<String> {
    let place = |slot: &&str| {
        let view = install.view(&["show", &format!("{run}.{slot}")]);
        view["cleaning"]["place"].as_str().unwrap_or("here").to_owned()
    };
    SLOTS.iter().map(place).collect()
}

/// Whatever was there is there, or in an archive that is whole.
fn check_whole(install: &Install, run: &str, before: &BTreeMap<PathBuf, String>) {
    let here = blobs(install);
    let mut packed = Vec::new();
    for name in archives(install).iter().filter(|name| !name.starts_with('.')) {
        let archive = fs::File::open(install.data().join("cleaned").join(name)).expect("archive");
        let mut archive = tar::Archive::new(zstd::stream::read::Decoder::new(archive).expect("packed"));
        for entry in archive.entries().expect("entries") {
            let path = entry.expect("entry").path().expect("path").into_owned();
            packed.extend(path.strip_prefix("blobs").map(|hash| hash.to_string_lossy().into_owned()));
        }
    }
    for path in before.keys() {
        let hash = path.file_name().expect("name").to_string_lossy().into_owned();
        assert!(here.contains_key(path) || packed.contains(&hash), "{hash} of {run} is nowhere");
    }
}
