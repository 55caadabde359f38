//! The disk of the data directory fills up under a server at work: it says so, loses nothing, acknowledges nothing, and
//! goes on by itself.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::Install;
use crate::mounted::Mounted;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come to hold: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server whose segments fit the small disk.
fn up(install: &Install) -> Child {
    let log = File::create(install.folder().join("server.log")).expect("log");
    let mut command = install.command(&["up"]);
    command.env("REGATTA_LOG_SEGMENT", "4MiB").stdout(Stdio::null()).stderr(log);
    let server = command.spawn().expect("server");
    until("the server answers", || install.regatta(&["ls"]).code == 0);
    server
}

/// Fills the disk, but for so many bytes.
fn fill(disk: &Path, leave: u64) {
    let space = rustix::fs::statvfs(disk).expect("space");
    let bytes = (space.f_bavail * space.f_frsize).saturating_sub(leave);
    let file = File::create(disk.join("filler")).expect("filler");
    std::io::copy(&mut std::io::Read::take(std::io::repeat(1), bytes), &mut &file).expect("filled");
    file.sync_all().expect("synced");
}

fn output(install: &Install, run: &str) -> String {
    let stream = format!("output/{run}.a");
    let done = install.regatta(&["log", "tail", "--json", "--from", "1", "--stream", &stream]).exits(0);
    let events = done.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("json"));
    let mut printed = String::new();
    for event in events {
        let output = event.pointer("/payload/output").expect("output");
        assert_eq!(output["offset"], printed.len(), "output is missing or doubled");
        printed.push_str(output["text"].as_str().expect("text"));
    }
    printed
}

#[test]
fn a_full_disk_stops_nothing_but_what_must_be_recorded() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    let Some(mounted) = Mounted::at(&install.data(), 96) else { return };
    let mut server = up(&install);
    let go = install.folder().join("go");
    let agent = format!(
        "command=n=0; while [ ! -e {} ]; do echo line-$n; n=$((n+1)); sleep 0.01; done; echo end-$n; echo x >> file",
        go.display()
    );
    let ask = ["run", "fill", "-a", &agent, "--sandbox", "host", "--check", "it=true"];
    let run = install.regatta(&ask).exits(0).out.trim().to_owned();
    until("it prints", || output(&install, &run).lines().count() > 5);

    // So little that there is no room even for what gives some back.
    fill(mounted.path(), 2 << 20);
    until("the log only reads", || install.regatta(&ask).code == 3);
    let before = install.view(&["fleet"])["seq"].clone();
    let refused = install.regatta(&ask).exits(3);
    refused.says("nothing can be recorded now: ").says("free at least ").says("hint: nothing was done; ask again then");
    install.regatta(&["cancel", &run]).exits(3).says("free at least ");
    // What is there can be looked at, and the agent goes on to its end.
    install.regatta(&["show", &run]).exits(0);
    fs::write(&go, "").expect("go");
    let ended = || fs::read_to_string(find(&install.data().join("sandboxes/host"), "out")).unwrap_or_default();
    until("the agent ends", || ended().contains("end-"));
    assert_eq!(install.view(&["fleet"])["seq"], before, "something was recorded");
    assert!(server.try_wait().expect("asked").is_none(), "the server goes on");

    fs::remove_file(mounted.path().join("filler")).expect("freed");
    install.regatta(&["watch", &run]).exits(0);
    let printed = output(&install, &run);
    let (lines, end) = printed.trim_end().rsplit_once('\n').expect("lines");
    let count = lines.lines().count();
    assert_eq!(end, format!("end-{count}"));
    assert!(lines.lines().zip(0..).all(|(line, n)| line == format!("line-{n}")), "{lines}");
    // And back again: nothing that was refused had been done.
    assert_eq!(install.view(&["ls"])["rows"].as_array().map(Vec::len), Some(1));
    install.regatta(&["down"]).exits(0);
    assert!(server.wait().expect("ended").success());
    install.regatta(&["log", "verify"]).exits(0);
    let told = fs::read_to_string(install.folder().join("server.log")).expect("log");
    assert_eq!(told.matches("the log only reads").count(), 1, "{told}");
    assert_eq!(told.matches("the log has room again and goes on").count(), 1, "{told}");
}

#[test]
fn a_disk_that_attempts_have_filled_is_relieved_of_them() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    let Some(mounted) = Mounted::at(&install.data(), 96) else { return };
    let mut server = up(&install);
    let enough = install.folder().join("enough");
    let agent = format!(
        "command=while [ ! -e {} ]; do head -c 49152 /dev/urandom | base64 -w 0; sleep 0.02; done; sleep 1000",
        enough.display()
    );
    fill(mounted.path(), 36 << 20);
    let ask = ["run", "fill", "-a", &agent, "--sandbox", "host"];
    let run = install.regatta(&ask).exits(0).out.trim().to_owned();
    let pick = || install.regatta(&["pick", &run, "a"]).exits(3);
    until("the log only reads", || pick().err.contains("free at least "));
    fs::write(enough, "").expect("enough");

    // Nothing else begins, and what frees the disk is done.
    install.regatta(&["run", "another", "-a", "command=true"]).exits(3).says("free at least ");
    install.regatta(&["sandbox", "reap"]).exits(0);
    install.regatta(&["cancel", &run]).exits(0);
    install.regatta(&["watch", &run]);
    assert_eq!(install.view(&["show", &run])["row"]["state"], "cancelled");
    until("there is room again", || install.regatta(&["run", "another", "-a", "command=true"]).code == 0);
    install.regatta(&["down"]).exits(0);
    assert!(server.wait().expect("ended").success());
    install.regatta(&["log", "verify"]).exits(0);
}

#[test]
fn a_server_says_how_much_must_be_freed_before_it_can_start_and_goes_on_then() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    let Some(mounted) = Mounted::at(&install.data(), 96) else { return };
    install.configure("[log]\nsegment = \"4MiB\"\n");
    let run = install.race(&["-a", "command=echo changed >> file", "--sandbox", "host"], 0);
    install.regatta(&["down"]).exits(0);
    let index = || fs::read_dir(install.data()).expect("data").filter_map(Result::ok).map(|entry| entry.file_name());
    let set_aside = || index().filter(|name| name.to_string_lossy().starts_with("index.")).count();

    let filler = mounted.fill_up();
    let refused = install.regatta(&["up", "--detach"]).exits(4);
    refused.says("the disk is full: ").says("free at least ").says("then start again");
    install.regatta(&["log", "verify"]).exits(0).says("the index was not compared").says("while the disk is full");
    assert_eq!(set_aside(), 0);
    fs::remove_file(&filler).expect("freed");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["show", &run]).exits(0);
    install.regatta(&["down"]).exits(0);
    install.regatta(&["log", "verify"]).exits(0);
    assert_eq!(set_aside(), 0);

    // With a little room it starts, and only reads.
    fill(mounted.path(), 6 << 20);
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["show", &run]).exits(0);
    install.regatta(&["run", "x", "-a", "command=true"]).exits(3).says("nothing can be recorded now: ");
    fs::remove_file(&filler).expect("freed");
    install.regatta(&["down"]).exits(0);
}

/// The first file of that name under a folder.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name() == *name {
                return entry.path();
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    folder.join(name)
}
