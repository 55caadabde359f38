//! The index under a real server: lost, cut, damaged. It is rebuilt, and one line of the server's log says so.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::install::Install;

/// What the server says of its index from now on.
fn told_at_a_start(install: &Install) -> String {
    let log = install.data().join("server.log");
    let before = fs::read_to_string(&log).expect("log").len();
    install.regatta(&["up", "--detach"]).exits(0);
    fs::read_to_string(&log).expect("log").split_off(before)
}

/// Lets sled hang at the configuration it opens first: nobody ever writes to this one.
fn hang(install: &Install) {
    let conf = install.data().join("index/conf");
    fs::remove_file(&conf).expect("it is there");
    let made = Command::new("mkfifo").arg(&conf).status().expect("mkfifo");
    assert!(made.success());
}

#[test]
fn whoever_waits_for_an_index_that_is_slow_to_open_is_told_what_for() {
    let install = Install::new();
    install.configure("[log]\nindex_deadline = \"15s\"\n");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    hang(&install);
    let verified =
        install.regatta(&["log", "verify"]).exits(1).says("still verifying; ").says("15 s (log.index_deadline)");
    assert!(verified.out.contains("index: it did not open within 15000 ms (move the folder away"), "{}", verified.out);
    assert!(verified.out.contains("0 blobs whole"), "{}", verified.out);
    verified.says("the events are whole: move index away in ");
    let up = install.regatta(&["up", "--detach"]).exits(0);
    assert!(up.err.contains("the server is still starting; it says: "), "{}", up.err);
    assert!(up.err.contains("waiting for the index to open; after that it is rebuilt from the journal"), "{}", up.err);
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
}

#[test]
fn an_index_that_hangs_is_left_behind_and_rebuilt() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    fs::write(install.data().join("regatta.toml"), "[log]\nindex_deadline = \"1s\"\n").expect("configuration");
    let ask = ["run", "x", "-a", "command=seq 300; echo changed >> file", "--sandbox", "host", "--wait"];
    let run = install.regatta(&ask).exits(0).out.trim().to_owned();
    let compared = install.regatta(&["compare", &run]).exits(0).out;
    install.regatta(&["down"]).exits(0);
    hang(&install);
    let told = told_at_a_start(&install);
    assert_eq!(told.matches("index left behind; it is rebuilt").count(), 1, "{told}");
    assert!(told.contains("it did not open within 1000 ms"), "{told}");
    assert_eq!(told.matches("the index was rebuilt from the journal").count(), 1, "{told}");
    assert_eq!(install.regatta(&["compare", &run]).exits(0).out, compared);
    install.regatta(&["down"]).exits(0);
    // The next start takes the new one for good.
    let told = told_at_a_start(&install);
    assert_eq!(told.matches("index that hung set aside for good").count(), 1, "{told}");
    assert_eq!((told.matches("rebuilt").count(), told.matches("ERROR").count()), (0, 0), "{told}");
    assert_eq!(install.regatta(&["compare", &run]).exits(0).out, compared);
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
}

#[test]
fn a_damaged_head_is_told_apart_from_the_journal_and_made_anew() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    let head = install.data().join("HEAD");
    fs::write(&head, "not a head").expect("damage");
    install.regatta(&["up", "--detach"]).exits(4).says("when HEAD is all it finds damaged, move HEAD away");
    let verified = install.regatta(&["log", "verify"]).exits(1).says("the events are whole: move HEAD away in ");
    assert!(verified.out.contains("HEAD: its checksum does not match"), "{}", verified.out);
    fs::rename(&head, install.folder().join("HEAD")).expect("moved away");
    install.regatta(&["log", "verify"]).exits(1).says("the next start writes HEAD anew");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
}

#[test]
fn a_pipe_in_place_of_a_blob_the_configuration_or_the_lock_is_not_waited_for() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    let (folder, name) = (install.data().join("blobs/aa"), "a".repeat(64));
    fs::create_dir_all(&folder).expect("folder");
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
    pipe(&folder.join(&name));
    pipe(&install.data().join("regatta.toml"));
    let verified = install.regatta(&["log", "verify"]).exits(1).says("restore the damaged blobs from a backup");
    let told = format!("  blobs/aa/{name}: ");
    assert!(verified.out.contains(&told) && verified.out.contains("is no regular file"), "{}", verified.out);
    fs::remove_dir_all(&folder).expect("removed");
    let lock = install.data().join("lock");
    fs::remove_file(&lock).expect("removed");
    pipe(&lock);
    let verified = install.regatta(&["log", "verify"]).exits(1).says("the events are whole: move lock away in ");
    assert!(verified.out.contains("  lock: "), "{}", verified.out);
    install.regatta(&["up", "--detach"]).exits(2).says("regatta.toml: it is no regular file");
}

#[test]
fn a_journal_that_lost_its_end_is_refused_and_no_agent_is_started_again() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    // As it is until a segment is full or the server stops cleanly, which a killed one does not.
    let anchor = fs::read(install.data().join("HEAD")).expect("anchor");
    let started = install.folder().join("started");
    let agent = format!("command=echo x >> {}; echo changed >> file", started.display());
    install.race(&["-a", &agent, "--sandbox", "host"], 0);
    install.regatta(&["down"]).exits(0);
    let segment = install.data().join("journal/00000000000000000001.seg");
    let whole = fs::read(&segment).expect("segment");
    let damaged: [(&str, Damage<'_>); 2] = [
        ("HEAD of the beginning", &|head| fs::write(head, &anchor).expect("anchor")),
        ("HEAD deleted", &|head| fs::remove_file(head).expect("removed")),
    ];
    for (what, damage) in damaged {
        damage(&install.data().join("HEAD"));
        fs::write(&segment, &whole[..6_000]).expect("cut");
        let done = install.regatta(&["up", "--detach"]).exits(4);
        done.says("failed to open the log: the log ends at ").says("but its index knows events up to ");
        let verified = install.regatta(&["log", "verify"]).exits(1).out;
        assert!(verified.contains("index: the index knows events up to "), "{what}: {verified}");
        assert!(!verified.contains("move the folder away"), "{what}: {verified}");
        assert_eq!(fs::read(&segment).expect("segment").len(), 6_000, "{what}: something was cut off");
    }
    assert_eq!(fs::read_to_string(&started).expect("started").lines().count(), 1);
    fs::remove_dir_all(install.data().join("journal")).expect("removed");
    install.regatta(&["up", "--detach"]).exits(4).says("there is no log in ").says("its index knows events up to ");
    install.regatta(&["log", "verify"]).exits(4).says("but there was one");
}

#[test]
fn a_server_whose_lock_file_was_removed_keeps_its_log() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    fs::remove_file(install.data().join("lock")).expect("removed");
    install.regatta(&["up"]).exits(3).says("is in use by another process").says("regatta down");
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
}

type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn an_index_that_is_lost_cut_or_damaged_is_rebuilt_and_said_once() {
    let install = Install::new();
    let ask = ["run", "x", "-a", "command=seq 300; echo changed >> file", "--sandbox", "host", "--wait"];
    let run = install.regatta(&ask).exits(0).out.trim().to_owned();
    let compared = install.regatta(&["compare", &run]).exits(0).out;
    install.regatta(&["down"]).exits(0);
    let index = install.data().join("index");
    let damages: [(&str, Damage<'_>); 4] = [
        ("deleted", &|_| fs::remove_dir_all(&index).expect("removed")),
        ("its file deleted", &|db| fs::remove_file(db).expect("removed")),
        ("halved", &|db| {
            let bytes = fs::read(db).expect("file");
            let written = bytes.iter().rposition(|byte| *byte != 0).expect("something is written");
            fs::write(db, &bytes[..written / 2]).expect("halved");
        }),
        ("bits flipped", &|db| {
            let mut bytes = fs::read(db).expect("file");
            bytes.iter_mut().for_each(|byte| *byte ^= 0x10);
            fs::write(db, bytes).expect("flipped");
        }),
    ];
    for (what, damage) in damages {
        damage(&index.join("db"));
        let told = told_at_a_start(&install);
        assert_eq!(told.matches("the index was rebuilt from the journal").count(), 1, "{what}: {told}");
        assert_eq!(told.matches("index set aside").count(), usize::from(what != "deleted"), "{what}: {told}");
        let ours = told.lines().filter(|line| line.contains("ERROR regatta"));
        assert_eq!(ours.count(), 0, "{what}: {told}");
        assert_eq!(install.regatta(&["compare", &run]).exits(0).out, compared, "{what}");
        install.regatta(&["down"]).exits(0);
        install.regatta(&["log", "verify"]).exits(0);
    }
}
