//! A backup beside a server at work, killed on the way, and the install that comes back from it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::install::Install;

/// A finished run without a sandbox's fence, so that it works everywhere; its id.
fn run(install: &Install) -> String {
    // Longer than what an event holds: it is a blob.
    let prompt = install.folder().join("prompt");
    fs::write(&prompt, "y".repeat(9_000)).expect("prompt");
    let agent = "command=seq 2000; echo changed >> file";
    let ask = ["run", "-f", prompt.to_str().expect("path"), "-a", agent, "--sandbox", "host", "--wait"];
    install.regatta(&ask).exits(0).out.trim().to_owned()
}

fn backup(install: &Install, to: &Path) -> serde_json::Value {
    install.regatta(&["log", "backup", to.to_str().expect("path"), "--json"]).exits(0).json()
}

#[test]
fn a_backup_made_beside_a_server_brings_the_install_back() {
    let install = Install::new();
    let first = run(&install);
    let to = install.folder().join("backup");
    for moment_ms in 0..12 {
        // Killed at some moment: nothing of it is in the way of the next one.
        let mut command = install.command(&["log", "backup", to.to_str().expect("path")]);
        let mut copying = command.stderr(Stdio::null()).spawn().expect("backup");
        std::thread::sleep(std::time::Duration::from_millis(moment_ms));
        copying.kill().expect("killed");
        copying.wait().expect("ended");
    }
    backup(&install, &to);
    let second = run(&install);
    let copied = backup(&install, &to);
    // The file of the log that is written to; the same prompt and the same patch are there.
    assert_eq!((copied["files"].as_u64(), copied["damaged"].as_array().map(Vec::len)), (Some(1), Some(0)), "{copied}");
    assert_eq!(backup(&install, &to)["files"], 0);
    install.regatta(&["log", "backup", install.data().join("in").to_str().expect("path")]).exits(2).says("is inside");

    let back = install.folder().join("back");
    let (to, back) = (to.to_str().expect("path"), back.to_str().expect("path"));
    install.regatta(&["log", "verify", "--data-dir", to]).exits(0);
    let told = install.regatta(&["log", "restore", "--from", to, "--data-dir", back]).exits(0);
    told.says("restored up to event ").says("intact, hash ");
    install.regatta(&["log", "restore", "--from", to, "--data-dir", back]).exits(3).says("is not empty: it holds ");
    let told = install.regatta(&["log", "verify", "--data-dir", back]).exits(0);
    assert!(told.out.contains("2 blobs whole"), "{}", told.out);
    // The restored install starts, knows both runs, and goes on.
    install.regatta(&["up", "--detach", "--data-dir", back]).exits(0);
    for run in [&first, &second] {
        let shown = install.regatta(&["compare", run, "--data-dir", back]).exits(0);
        assert!(shown.out.contains("changed") || shown.out.contains("file"), "{}", shown.out);
    }
    let ask = ["run", "again", "-a", "command=echo more >> file", "--sandbox", "host", "--wait", "--data-dir", back];
    install.regatta(&ask).exits(0);
    install.regatta(&["down", "--data-dir", back]).exits(0);
    install.regatta(&["log", "verify", "--data-dir", back]).exits(0);
}

#[test]
fn a_damaged_segment_is_told_by_the_backup_and_by_a_restore_from_it() {
    let install = Install::new();
    install.configure("[log]\nsegment = \"1MiB\"\n");
    install.race(&["-a", "command=seq 700000; echo changed >> file", "--sandbox", "host"], 0);
    install.regatta(&["down"]).exits(0);
    let mut files: Vec<_> = fs::read_dir(install.data().join("journal"))
        .expect("journal")
        .map(|entry| entry.expect("file").path())
        .collect();
    files.sort();
    let mut bytes = fs::read(&files[1]).expect("segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[1], bytes).expect("damaged");

    let (to, back) = (install.folder().join("backup"), install.folder().join("back"));
    let (to, back) = (to.to_str().expect("path"), back.to_str().expect("path"));
    let made = install.regatta(&["log", "backup", to]).exits(1);
    let name = files[1].display().to_string();
    made.says("incomplete: backed up to event ")
        .says(&name)
        .says("left out")
        .says("are missing, and what follows them");
    let restored = install.regatta(&["log", "restore", "--from", to, "--data-dir", back]).exits(1);
    restored.says("are missing in the backup").says("later was not restored");
    install.regatta(&["log", "verify", "--data-dir", back]).exits(0);
}

#[test]
fn no_server_starts_on_half_an_import_and_an_export_is_its_owners() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    let export = install.folder().join("events.jsonl");
    let path = export.to_str().expect("path");
    install.regatta(&["log", "export", "-o", path]).exits(0);
    let mode = fs::metadata(&export).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    install.regatta(&["log", "export", "-o", path]).exits(2).says("is there already").says("hint: name a new file");
    let copy = install.folder().join("copy");
    let copy = copy.to_str().expect("path");
    install.regatta(&["log", "import", "/dev/null", "--data-dir", copy]).exits(2).says("there are no events in ");
    assert!(!Path::new(copy).exists(), "nothing was begun");
    let whole = fs::read_to_string(&export).expect("export");
    let cut = whole.lines().count() - 1;
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    fs::write(&export, lines[..cut].concat()).expect("cut");
    install.regatta(&["log", "import", path, "--data-dir", copy]).exits(4).says("its end is missing");
    install.regatta(&["up", "--detach", "--data-dir", copy]).exits(4).says("an import into ").says("run it again");
    install.regatta(&["log", "verify", "--data-dir", copy]).exits(1).says("did not come to its end");
    let verified = install.regatta(&["--json", "log", "verify", "--data-dir", copy]).exits(1).out;
    assert!(verified.contains("\"clean\":false"), "{verified}");
    install.regatta(&["log", "export", "--data-dir", copy]).exits(4).says("did not come to its end");
    fs::write(&export, &whole).expect("whole");
    install.regatta(&["log", "import", path, "--data-dir", copy]).exits(0).says("were there already");
    install.regatta(&["up", "--detach", "--data-dir", copy]).exits(0);
    install.regatta(&["down", "--data-dir", copy]).exits(0);
}

#[test]
fn a_restore_names_what_it_cannot_use() {
    let install = Install::new();
    let usage = install.regatta(&["log", "restore"]).exits(2).says("<--from <DIR>|--from-nats <URL>>");
    assert!(!usage.err.contains("|--install"), "{}", usage.err);
    let nowhere = install.folder().join("nowhere");
    let nowhere = nowhere.to_str().expect("path");
    install.regatta(&["log", "restore", "--from", nowhere]).exits(2).says("there is no backup in ");
    install
        .regatta(&["log", "restore", "--from", nowhere, "--from-nats", "nats://host"])
        .exits(2)
        .says("cannot be used");
}
