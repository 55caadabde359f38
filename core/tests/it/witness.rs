//! A witness outside the data directory notices what the chain alone cannot: a log rewritten with a chain of its own,
//! or one whose end is gone with its anchor.

use std::fs;
use std::path::Path;

use regatta_core::log::open::INDEX_DEADLINE;
use regatta_core::log::verify;
use regatta_core::log::witness::{Found, Witnessed, read_file, verify_against};
use regatta_core::{Expect, InstallId, Log as _, Seq};

use crate::given::{append, one, open};

fn install() -> InstallId {
    "abcd".parse().expect("name")
}

/// Appends events so far, each saying what follows from its number and the salt; tells the witness on the way.
fn write(dir: &Path, upto: u64, salt: u64, witness: Option<&Path>) {
    let log = open(dir);
    for n in log.head().0 + 1..=upto {
        append(&log, one("run/a", Expect::Any, n + salt)).expect("appended");
        if let Some(path) = witness.filter(|_| n.is_multiple_of(10)) {
            Witnessed::now(&log, &install(), n).expect("not empty").add_to(path).expect("told");
        }
    }
    log.close().expect("stops");
}

#[test]
fn a_log_is_what_its_witness_heard() {
    let dir = tempfile::tempdir().expect("folder");
    let heard = dir.path().join("heard.jsonl");
    let data = dir.path().join("data");
    write(&data, 95, 0, Some(&heard));
    write(&data, 131, 0, Some(&heard));
    let heard = read_file(&heard, &install()).expect("read");
    assert_eq!(heard.iter().map(|said| said.seq.0).collect::<Vec<_>>(), (1..=13).map(|n| n * 10).collect::<Vec<_>>());
    let (report, comparison) = verify_against(&data, INDEX_DEADLINE, &heard).expect("verifies");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((comparison.heard, comparison.agreed, comparison.partings.len()), (13, Some(Seq(130)), 0));
}

#[test]
fn a_log_rewritten_with_a_consistent_chain_is_caught_by_the_witness_only() {
    let dir = tempfile::tempdir().expect("folder");
    let (data, heard) = (dir.path().join("data"), dir.path().join("heard.jsonl"));
    write(&data, 50, 0, None);
    Witnessed::now(&open(&data), &install(), 50).expect("not empty").add_to(&heard).expect("told");
    let image = dir.path().join("image");
    crate::given::copy(&data, &image);
    write(&data, 100, 0, Some(&heard));
    // The same first fifty events, then others, and more of them; HEAD and index agree with it.
    write(&image, 120, 7_000, None);
    fs::remove_dir_all(&data).expect("removed");
    fs::rename(&image, &data).expect("replaced");
    let report = verify(&data).expect("verifies");
    assert!(report.is_clean() && report.events == 120, "the chain alone proves nothing: {report:?}");
    let heard = read_file(&heard, &install()).expect("read");
    let (report, comparison) = verify_against(&data, INDEX_DEADLINE, &heard).expect("verifies");
    assert!(report.is_clean());
    assert_eq!(comparison.agreed, Some(Seq(50)));
    let parted: Vec<u64> = comparison.partings.iter().map(|parting| parting.heard.seq.0).collect();
    assert_eq!(parted, [60, 70, 80, 90, 100]);
    assert!(comparison.partings.iter().all(|parting| matches!(parting.found, Found::Hash(_))), "{comparison:?}");
}

#[test]
fn a_log_shortened_with_its_anchor_is_caught_by_the_witness_only() {
    let dir = tempfile::tempdir().expect("folder");
    let (data, heard) = (dir.path().join("data"), dir.path().join("heard.jsonl"));
    write(&data, 60, 0, None);
    let earlier = dir.path().join("earlier");
    crate::given::copy(&data, &earlier);
    write(&data, 100, 0, Some(&heard));
    fs::remove_dir_all(&data).expect("removed");
    fs::rename(&earlier, &data).expect("replaced");
    assert!(verify(&data).expect("verifies").is_clean());
    let heard = read_file(&heard, &install()).expect("read");
    let (_, comparison) = verify_against(&data, INDEX_DEADLINE, &heard).expect("verifies");
    assert_eq!(comparison.agreed, None);
    assert!(comparison.partings.iter().all(|parting| parting.found == Found::Ended(Seq(60))), "{comparison:?}");
    assert_eq!(comparison.partings.len(), 4);
}

#[test]
fn a_line_torn_by_a_crash_is_left_out_and_the_next_one_stands_alone() {
    let dir = tempfile::tempdir().expect("folder");
    let (data, heard) = (dir.path().join("data"), dir.path().join("heard.jsonl"));
    write(&data, 20, 0, Some(&heard));
    let whole = fs::read(&heard).expect("file");
    fs::write(&heard, &whole[..whole.len() - 9]).expect("torn");
    write(&data, 30, 0, Some(&heard));
    let seqs = |install: &str| {
        let heard = read_file(&heard, &install.parse().expect("name")).expect("read");
        heard.iter().map(|said| said.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(seqs("abcd"), [10, 30]);
    assert_eq!(seqs("other"), [0; 0]);
    fs::write(&heard, "# not a witness\n").expect("replaced");
    let told = read_file(&heard, &install()).expect_err("no witness").to_string();
    assert!(told.starts_with("line 1 of the witness's file is no chain head"), "{told}");
}
