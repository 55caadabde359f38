//! What a person sees of fixture views, kept as it was last looked at.

use regatta_http::works::MergePreview;
use regatta_projections::compare::Comparison;
use serde_json::{Value, json};

use super::comparison::comparison;
use crate::terminal::Terminal;

fn column(slot: &str, command: &str, state: Value) -> Value {
    json!({
        "slot": slot, "attempt": format!("7q2k9x0m.{slot}"), "agent": "command", "command": command, "model": null,
        "sandbox": "local", "state": state, "waits_for": null, "elapsed_ms": 0, "checks_passed": 0, "checks_failed": 0,
        "checks_total": 2, "stat": null, "patch": null, "collect_failure": null, "agent_exit": null, "fence": null,
        "output_tail": { "text": "", "bytes_before": 0 }, "branch": null, "is_winner": false, "can": [],
    })
}

fn with(mut column: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("fields") {
        column[name] = value.clone();
    }
    column
}

fn fixture() -> Comparison {
    let finished = |outcome: Value| json!({ "name": "finished", "outcome": outcome });
    let winner = json!({
        "elapsed_ms": 12_300, "checks_passed": 2, "stat": { "files": 1, "added": 3, "removed": 1 }, "is_winner": true,
        "agent_exit": { "code": 0 }, "fence": "bubblewrap", "branch": "regatta/7q2k9x0m/a",
        "output_tail": { "text": "looking\n\u{1b}[31mdone\u{1b}[0m\n\n", "bytes_before": 0 },
    });
    let failed = json!({
        "elapsed_ms": 200_000, "checks_passed": 1, "checks_failed": 1, "stat": { "files": 2, "added": 40, "removed": 0 },
        "agent_exit": { "over_limit": { "limit": "memory 8 GiB" } }, "fence": "landlock (abi 7)",
    });
    let waiting = json!({ "waits_for": "provider local at 4/4", "agent": "claude", "command": null, "model": "opus" });
    let view = json!({
        "run": "7q2k9x0m", "title": "evil \u{1b}]0;title\u{7} task", "state": "racing", "strategy": "best",
        "base_ref": "main", "base_commit": "0123456789abcdef", "checks": ["tests", "lint"], "files_cut": false,
        "verdict": { "winner": "a", "judge": "checks", "reason": "smallest", "by": "regatta", "at_us": 1, "seq": 9 },
        "columns": [
            with(column("a", "node '/opt/agents/careful.mjs'", finished(json!("passed"))), &winner),
            with(column("b", "./eager.sh", finished(json!({ "checks_failed": { "failed": 1 } }))), &failed),
            with(column("c", "", json!({ "name": "queued", "reason": "provider local at 4/4" })), &waiting),
        ],
        "files": [
            { "path": "src/a.rs", "class": "all", "by": { "a": { "added": 3, "removed": 1 }, "b": { "added": 39, "removed": 0 } } },
            { "path": "b\n\u{1b}[2J.bin", "class": "one", "by": { "b": { "added": null, "removed": null } } },
        ],
        "groups": [{ "patch_hash": "00", "slots": ["a"] }, { "patch_hash": "11", "slots": ["b", "c"] }],
    });
    serde_json::from_value(view).expect("a comparison")
}

fn merge() -> MergePreview {
    let row = |slot: &str, state: &str, conflicts: &[&str], behind: u64| json!({ "slot": slot, "state": state, "conflicts": conflicts, "behind": behind, "reason": null });
    let rows =
        [row("a", "clean", &[], 2), row("b", "conflicts", &["src/\u{1b}[2Ja.rs"], 2), row("c", "unknown", &[], 2)];
    serde_json::from_value(json!({ "into": "main", "commit": "0123", "rows": rows })).expect("a preview")
}

#[test]
fn attempts_stand_side_by_side_and_in_rows_when_the_terminal_is_narrow() {
    let wide = comparison(&fixture(), Some(&merge()), &Terminal::plain(100));
    let narrow = comparison(&fixture(), None, &Terminal::plain(48));
    insta::assert_snapshot!(format!("100 columns\n\n{wide}\n\n48 columns\n\n{narrow}"));
    assert!(wide.lines().all(|line| line.chars().count() <= 100));
    assert!(narrow.lines().filter(|line| !line.contains("smallest that")).all(|line| line.chars().count() <= 60));
}
