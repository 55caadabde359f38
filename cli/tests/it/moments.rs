//! The log by time: what happened since, until, and how things stood so long ago.

use crate::install::Install;

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn the_log_is_read_by_time() {
    let install = Install::new();
    install.race(&["-a", "command=echo changed >> file", "--sandbox", "host"], 0);
    // So that nothing comes in between.
    install.regatta(&["down"]).exits(0);
    install.regatta(&["up", "--detach"]).exits(0);
    let tail = |arguments: &[&str]| {
        let all: Vec<&str> = ["log", "tail"].iter().chain(arguments).copied().collect();
        install.regatta(&all).exits(0).out
    };
    let all = tail(&["--from", "1"]);
    assert!(lines(&all) > 10);
    for since in ["1h", "1h ago", "2020-01-01T00:00:00Z"] {
        assert_eq!(tail(&["--since", since]), all, "{since}");
    }
    assert_eq!(tail(&["--until", "1h"]), "");
    assert_eq!(tail(&["--since", "2999-01-01T00:00:00Z"]), "");
    // The time of an event is its own: it is in both.
    let fifth = install.regatta(&["log", "show", "5", "--json"]).exits(0).json();
    let at = fifth["at"].as_str().expect("a time");
    let (before, after) = (tail(&["--from", "1", "--until", at]), tail(&["--since", at]));
    let of_fifth = all.lines().nth(4).expect("the fifth");
    assert!(before.lines().any(|line| line == of_fifth) && after.lines().any(|line| line == of_fifth));
    assert!(lines(&before) < lines(&all) && lines(&after) < lines(&all));
    assert_eq!(
        tail(&["-n", "2", "--to", "7"]),
        all.lines().skip(5).take(2).map(|line| format!("{line}\n")).collect::<String>()
    );

    let export = |arguments: &[&str]| {
        let all: Vec<&str> = ["log", "export"].iter().chain(arguments).copied().collect();
        install.regatta(&all).exits(0)
    };
    install.regatta(&["down"]).exits(0);
    let whole = export(&[]).out;
    assert_eq!(export(&["--since", "1h", "--until", "2999-01-01T00:00:00Z"]).out, whole);
    assert_eq!(lines(&export(&["--until", "1h"]).says("exported nothing").out), 1, "it only says that it ends");
    // Two parts make the whole again, wherever it was cut.
    let part = export(&["--until", at]).out;
    let last = part.lines().last().expect("the end");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let next = (last["end"].as_u64().expect("a number") + 1).to_string();
    let file = install.folder().join("parts.jsonl");
    std::fs::write(&file, format!("{part}{}", export(&["--from", &next]).out)).expect("written");
    let copy = install.folder().join("copy");
    let copy = copy.to_str().expect("path");
    install.regatta(&["log", "import", file.to_str().expect("path"), "--data-dir", copy]).exits(0);
    assert_eq!(install.regatta(&["log", "export", "--data-dir", copy]).exits(0).out, whole);
}

#[test]
fn what_is_no_time_or_no_range_is_said() {
    let install = Install::new();
    let check = |arguments: &[&str], says: &str| {
        install.regatta(arguments).exits(2).says(says);
    };
    check(&["log", "tail", "--since", "yesterday"], "a time, as 2026-11-22T08:00:00Z, or how long ago, as 2h");
    check(&["log", "export", "--until", "1200"], "a time, as ");
    check(&["log", "tail", "--since", "1h", "--until", "2h"], "--since ");
    check(&["log", "export", "--from", "9", "--to", "8"], "--from 9 is after --to 8");
    check(&["log", "tail", "--from", "1", "--since", "2h"], "cannot be used with");
    check(&["log", "tail", "-f", "--until", "2h"], "-f goes on and on");
    install.regatta(&["up", "--detach"]).exits(0);
    check(&["log", "show", "1000"], "hint: the log holds events 1 to ");
    let shown = install.regatta(&["log", "show", "1"]).exits(0).out;
    assert!(shown.contains("config.applied") && shown.contains("\"values\""), "{shown}");
    let told = install.regatta(&["fleet", "--as-of", "1h"]).exits(0);
    assert!(told.out.contains("0 sandboxes alive"), "{}", told.out);
}
