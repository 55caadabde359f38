//! Hostile repositories, agents and prompts: a clear answer each.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::install::{Install, can_race};

const CHANGE: &str = "command=echo changed >> file";

fn refused(prepare: impl FnOnce(&Install), arguments: &[&str], says: &str, hint: &str) {
    let install = Install::new();
    prepare(&install);
    let all: Vec<&str> = ["run", "x", "-a", CHANGE].iter().chain(arguments).copied().collect();
    install.regatta(&all).exits(3).says(says).says(hint);
}

#[test]
fn a_repository_that_cannot_be_used_is_refused_with_what_to_do() {
    refused(|install| install.write("file", "dirty\n"), &[], "uncommitted change", "--uncommitted include|ignore");
    refused(|_| {}, &["--base", "nowhere"], "nowhere", "hint:");
    refused(|_| {}, &["--repo", "/"], "error: /", "hint:");
}

#[test]
fn a_bare_repository_gets_its_branch_too() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.git(&["clone", "-q", "--bare", ".", "../bare"]);
    let run = install.race(&["-a", CHANGE, "--repo", "../bare"], 0);
    install.git(&["--git-dir", "../bare", "rev-parse", "--verify", &format!("regatta/{run}/a")]);
}

#[test]
fn an_agent_that_is_not_installed_is_told() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let mut command = install.command(&["run", "x", "-a", "claude", "--wait"]);
    command.env("PATH", "/usr/bin:/bin");
    assert!(!std::path::Path::new("/usr/bin/claude").exists() && !std::path::Path::new("/bin/claude").exists());
    let output = command.output().expect("regatta");
    assert_ne!(output.status.code(), Some(0));
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &install.regatta(&["compare", "last"]).out;
    assert!(told.contains("claude"), "{told}");
    assert!(told.contains("not found") || told.contains("install"), "{told}");
}

#[test]
fn a_prompt_of_a_mebibyte_arrives_whole_and_a_larger_one_is_refused() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let ask = |size: usize| {
        let agent = "command=wc -c < \"$REGATTA_PROMPT_FILE\"; echo changed >> file";
        let mut child = install
            .command(&["run", "-", "-a", agent, "--wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("regatta");
        // It stops reading once it has seen too much.
        child.stdin.take().expect("stdin").write_all(&vec![b'\n'; size - 1]).ok();
        child.wait_with_output().expect("ended")
    };
    let blank = ask(1 << 20);
    assert_eq!(blank.status.code(), Some(2), "a prompt of nothing but line feeds is empty: {blank:?}");
    let large = ask((1 << 20) + 2);
    assert_eq!(large.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&large.stderr).contains("is larger than 1048576 bytes"), "{large:?}");

    let file = install.folder().join("prompt");
    std::fs::write(&file, "é\u{1}".repeat((1 << 20) / 3)).expect("prompt");
    let size = std::fs::metadata(&file).expect("prompt").len();
    let agent = "command=wc -c < \"$REGATTA_PROMPT_FILE\"; echo changed >> file";
    let file = file.to_str().expect("path");
    install.regatta(&["run", "-f", file, "-a", agent, "--wait"]).exits(0);
    assert_eq!(install.regatta(&["show", "last.a", "--output"]).out.trim(), size.to_string());
}

/// What an agent printed comes back byte for byte, however it was printed.
fn prints(agent: &str, expected: &[u8]) {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let agent = format!("command={agent}; echo changed >> file");
    install.race(&["-a", &agent], 0);
    let output = install.regatta(&["show", "last.a", "--output"]).exits(0);
    assert!(output.raw == expected, "{} bytes came back, {} were printed", output.raw.len(), expected.len());
}

#[test]
fn ten_thousand_lines_come_back() {
    let lines: String = (1..=10_000).map(|line| format!("{line}\n")).collect();
    prints("seq 10000", lines.as_bytes());
}

#[test]
fn a_single_line_of_50_megabytes_comes_back() {
    prints("head -c 50000000 /dev/zero | tr '\\0' x", &vec![b'x'; 50_000_000]);
}

#[test]
fn bytes_that_are_no_text_come_back() {
    prints(r"printf '\377\376\000\033[2J\r\n\303'", b"\xff\xfe\0\x1b[2J\r\n\xc3");
}

#[test]
fn what_could_drive_a_terminal_is_shown_and_not_done() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let agent = r#"command=printf '\033]0;owned\007\033[2J'; printf x > "$(printf 'a\nb\033[31m')""#;
    let run = install.regatta(&["run", "evil \u{1b}[2J prompt", "-a", agent, "--wait"]).exits(0).out;
    let run = run.trim();
    for arguments in [&["compare", run][..], &["show", run], &["show", &format!("{run}.a")], &["ls"], &["log", "tail"]]
    {
        let done = install.regatta(arguments).exits(0);
        let text = done.out + &done.err;
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{arguments:?} shows {text:?}");
    }
    let replayed = install.regatta(&["replay", run, "--speed", "max"]).exits(0);
    assert!(replayed.out.contains(r"\u{1b}]0;owned\u{7}\u{1b}[2J"), "{}", replayed.out);
}

#[test]
fn a_file_name_with_a_line_feed_is_delivered() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", "command=printf x > \"$(printf 'a\\nb')\""], 0);
    let names = install.git(&["ls-tree", "-rz", "--name-only", &format!("regatta/{run}/a")]);
    assert_eq!(names.out.split('\0').collect::<Vec<_>>(), ["a\nb", "file", ""]);
}

#[test]
fn an_agent_that_forks_and_leaves_keeps_nothing_running() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let mark = format!("{}.5", 70_000 + std::process::id());
    let agent = format!("command=setsid sh -c 'sleep {mark}' >/dev/null 2>&1 & echo changed >> file");
    let began = Instant::now();
    install.race(&["-a", &agent], 0);
    assert!(began.elapsed() < Duration::from_secs(60));
    let listed = std::process::Command::new("ps").args(["-eo", "args"]).output().expect("ps");
    let left: Vec<String> = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|line| line.starts_with("sleep") && line.contains(&mark))
        .map(str::to_owned)
        .collect();
    assert_eq!(left, [""; 0]);
}
