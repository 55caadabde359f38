//! Servers: one per data directory, started when needed, stopped when told.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::install::{Install, can_race};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn up(install: &Install) -> Child {
    let child = install.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("server");
    until(|| install.regatta(&["ls"]).code == 0);
    child
}

fn until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come to hold");
        std::thread::yield_now();
    }
}

#[test]
fn a_second_server_is_refused_with_the_pid_of_the_first() {
    let install = Install::new();
    let mut first = up(&install);
    let pid = first.id().to_string();
    install.regatta(&["up"]).exits(3).says(&format!("process {pid}")).says("hint: use it as it is, or stop it first");
    install.regatta(&["up", "--detach"]).exits(0).says(&format!("server {pid} is running already"));
    let export = install.folder().join("export");
    install.regatta(&["log", "export", "-o", export.to_str().expect("path")]).exits(0);
    let copy = install.folder().join("copy");
    let import = ["log", "import", export.to_str().expect("path"), "--data-dir", copy.to_str().expect("path")];
    install.regatta(&import).exits(0).says("an export carries no hashes");
    install.regatta(&["log", "import", export.to_str().expect("path")]).exits(3).says(&format!("process {pid}"));
    install.regatta(&["down"]).exits(0).says(&format!("stopped server {pid}"));
    assert!(first.wait().expect("ended").success(), "told to stop is no failure");
}

#[test]
fn a_signal_ends_a_server_well_and_its_log_is_whole() {
    for signal in ["TERM", "INT"] {
        let install = Install::new();
        let mut server = up(&install);
        let kill = std::process::Command::new("kill").args([&format!("-{signal}"), &server.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        assert!(server.wait().expect("ended").success(), "{signal}");
        let done = install.regatta(&["log", "verify"]).exits(0);
        assert!(done.out.starts_with("intact: 1 event,"), "{}", done.out);
    }
}

#[test]
fn nobody_else_can_look_into_the_data_directory() {
    let install = Install::new();
    std::fs::create_dir(install.data()).expect("data");
    std::fs::set_permissions(install.data(), std::fs::Permissions::from_mode(0o755)).expect("open");
    install.regatta(&["up", "--detach"]).exits(0);
    let mode = |name: &str| install.data().join(name).metadata().expect(name).permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("regatta.sock")), (0o700, 0o600));
}

#[test]
fn a_data_directory_with_a_long_name_has_a_server_too() {
    let install = Install::new();
    let long = install.folder().join("d".repeat(120));
    let long = long.to_str().expect("path");
    install.regatta(&["up", "--detach", "--data-dir", long]).exits(0);
    assert_eq!(install.regatta(&["ls", "--data-dir", long]).code, 0);
    install.regatta(&["down", "--data-dir", long]).exits(0);
}

#[test]
fn a_server_that_cannot_start_says_why_where_it_was_asked_for() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    std::fs::remove_dir_all(install.data().join("journal")).expect("damage");
    let done = install.regatta(&["up", "--detach"]).exits(4);
    done.says("error: the server did not start: failed to open the log: the log is missing");
}

#[test]
fn a_server_whose_disk_fails_says_why_and_ends() {
    let install = Install::new();
    // No file may grow past 16 KiB, as on a disk that fails in the middle of a write.
    let program = env!("CARGO_BIN_EXE_regatta");
    let limited = ["-c", "trap '' XFSZ; ulimit -f 32; exec \"$0\" up", program];
    let server = install.program("sh", &limited).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("server");
    until(|| install.regatta(&["ls"]).code == 0);
    let prompt = "x".repeat(7_000);
    let ask = ["run", &prompt, "-a", "command=true", "--sandbox", "host", "--no-start"];
    let mut taken = 0;
    let failed = loop {
        let done = install.regatta(&ask);
        if done.code != 0 {
            break done;
        }
        taken += 1;
    };
    // Whoever is told to try again, or finds nobody, was not heard; whoever was heard may find it done.
    let heard = failed.err.contains("whether it is, is not known");
    if heard {
        failed.exits(4).says("regatta ls");
    } else if failed.code == 3 {
        failed.says("the server is stopping");
    } else {
        failed.exits(4).says("no server runs for");
    }
    let ended = server.wait_with_output().expect("ended");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    let last: Vec<&str> = told.lines().rev().take(2).collect();
    assert!(last[1].starts_with("error: the dispatcher stopped: ") && last[1].contains("File too large"), "{told}");
    assert_eq!(last[0], "hint: start the server again; nothing acknowledged is lost", "{told}");
    // With room again it goes on where it was.
    install.regatta(&["log", "verify"]).exits(0);
    install.regatta(&["up", "--detach"]).exits(0);
    let there = install.view(&["ls"])["rows"].as_array().map_or(0, Vec::len);
    assert!((taken..=taken + usize::from(heard)).contains(&there), "{there} of {taken} are there, heard: {heard}");
}

#[test]
fn whoever_starts_a_server_on_a_full_disk_is_told_that() {
    let install = Install::new();
    let limited = ["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" up --detach", env!("CARGO_BIN_EXE_regatta")];
    let output = install.program("sh", &limited).output().expect("regatta");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.starts_with("error: the server did not start: ") && told.contains("File too large"), "{told}");
}

#[test]
fn a_patch_that_is_damaged_or_missing_is_named() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let prompt = install.folder().join("prompt");
    std::fs::write(&prompt, "y".repeat(9_000)).expect("prompt");
    let prompt = prompt.to_str().expect("path");
    install.regatta(&["run", "-f", prompt, "-a", "command=echo changed >> file", "--wait"]).exits(0);
    install.regatta(&["down"]).exits(0);
    assert!(install.regatta(&["log", "verify"]).exits(0).out.trim_end().ends_with("2 blobs whole"));

    let mut files: Vec<std::path::PathBuf> = Vec::new();
    for folder in std::fs::read_dir(install.data().join("blobs")).expect("blobs") {
        files.extend(
            std::fs::read_dir(folder.expect("folder").path()).expect("folder").map(|file| file.expect("file").path()),
        );
    }
    let [first, second] = files.as_slice() else { panic!("{files:?}") };
    let name = |path: &std::path::Path| path.file_name().expect("name").to_string_lossy().into_owned();
    std::fs::write(first, "something else").expect("damage");
    let damaged = install.regatta(&["log", "verify"]).exits(1);
    let told = format!("{}: its content is not what it is named by", name(first));
    assert!(damaged.out.contains(&told), "{}", damaged.out);
    std::fs::remove_file(second).expect("removed");
    let missing = install.regatta(&["log", "verify"]).exits(1);
    assert!(missing.out.contains(&format!("{}: it is missing; event ", name(second))), "{}", missing.out);
    assert_eq!(
        install.regatta(&["log", "verify", "--json"]).exits(1).json()["faults"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn two_who_start_a_server_at_once_get_the_same_one() {
    let install = Install::new();
    let started: Vec<Child> = (0..4)
        .map(|_| install.command(&["up", "--detach", "--json"]).stdout(Stdio::piped()).spawn().expect("started"))
        .collect();
    let pids: std::collections::BTreeSet<String> = started
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("ended");
            assert!(output.status.success(), "{output:?}");
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("json");
            answer["pid"].to_string()
        })
        .collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
}
