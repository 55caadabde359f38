//! Composition as tables: what each attempt changed, what is taken, then a patch or conflicts.

use std::collections::BTreeMap;

use regatta_core::Slot;

use super::{Choice, NotComposed, compose, read};

/// A modification of `path` with these hunks.
fn modified(path: &str, hunks: &[&str]) -> String {
    format!("diff --git a/{path} b/{path}\nindex 1..2 100644\n--- a/{path}\n+++ b/{path}\n{}", hunks.concat())
}

const TOP: &str = "@@ -1,4 +1,4 @@\n 1\n-2\n+two\n 3\n 4\n";
const TOP_OTHER: &str = "@@ -1,4 +1,4 @@ fn main() {\n 1\n-2\n+zwei\n 3\n 4\n";
/// Its context reaches into what `TOP` shows.
const NEAR: &str = "@@ -2,5 +2,6 @@\n 2\n 3\n-4\n+four\n+and more\n 5\n 6\n";
const AFTER_TWO: &str = "@@ -1,4 +1,5 @@\n 1\n 2\n+2a\n 3\n 4\n";
const END: &str = "@@ -9,2 +9,2 @@\n 9\n-10\n\\ No newline at end of file\n+ten\n\\ No newline at end of file\n";

fn slot(letter: &str) -> Slot {
    letter.parse().expect("slot")
}

/// `a:file#1`, or `a:file` for the whole of it.
fn choice(text: &str) -> Choice {
    let (letter, rest) = text.split_once(':').expect("a colon");
    let (path, hunk) = rest.split_once('#').map_or((rest, None), |(path, n)| (path, Some(n.parse().expect("number"))));
    Choice { slot: slot(letter), path: path.to_owned(), hunk, hash: None }
}

fn composed(patches: &[(&str, String)], take: &[&str]) -> Result<(String, Vec<String>), NotComposed> {
    let files: BTreeMap<Slot, _> =
        patches.iter().map(|(letter, patch)| (slot(letter), read(patch.as_bytes()).expect("a patch"))).collect();
    let choices: Vec<Choice> = take.iter().map(|text| choice(text)).collect();
    let composed = compose(&files, &choices)?;
    let hunks = composed.hunks.iter().map(|hunk| format!("{} {} {}", hunk.slot, hunk.path, hunk.header)).collect();
    Ok((String::from_utf8(composed.patch).expect("text"), hunks))
}

fn check(patches: &[(&str, String)], take: &[&str], patch: &str, hunks: &[&str]) {
    let (got, made_of) = composed(patches, take).expect("composes");
    assert_eq!(got, patch);
    assert_eq!(made_of, hunks);
}

fn conflicts(patches: &[(&str, String)], take: &[&str], then: &[(&str, &str)]) {
    match composed(patches, take) {
        Err(NotComposed::Conflicts(found)) => {
            let found: Vec<(String, String)> = found
                .iter()
                .map(|conflict| {
                    let between: Vec<String> = conflict
                        .between
                        .iter()
                        .map(|hunk| format!("{}#{}", hunk.slot, hunk.hunk.map_or("-".to_owned(), |n| n.to_string())))
                        .collect();
                    (format!("{} {}", conflict.path, between.join(" ")), conflict.reason.clone())
                })
                .collect();
            let then: Vec<_> = then.iter().map(|(what, why)| ((*what).to_owned(), (*why).to_owned())).collect();
            assert_eq!(found, then);
        }
        other => panic!("{other:?}"),
    }
}

fn refused(patches: &[(&str, String)], take: &[&str], then: &str) {
    match composed(patches, take) {
        Err(NotComposed::Refused(refusal)) => assert_eq!(refusal.message, then),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hunks_whose_context_overlaps_go_together() {
    check(
        &[("a", modified("f", &[TOP])), ("b", modified("f", &[NEAR]))],
        &["b:f#1", "a:f#1"],
        "diff --git a/f b/f\n--- a/f\t\n+++ b/f\t\n@@ -2,1 +2,1 @@\n-2\n+two\n@@ -4,1 +4,2 @@\n-4\n+four\n+and more\n",
        &["a f @@ -1,4 +1,4 @@", "b f @@ -2,5 +2,6 @@"],
    );
}

#[test]
fn only_what_is_taken_is_taken() {
    let a = modified("f", &[TOP, END]) + &modified("g", &[TOP]);
    check(
        &[("a", a)],
        &["a:f#2"],
        "diff --git a/f b/f\n--- a/f\t\n+++ b/f\t\n@@ -10,1 +10,1 @@\n-10\n\\ No newline at end of file\n+ten\n\\ No newline at end of file\n",
        &["a f @@ -9,2 +9,2 @@"],
    );
}

#[test]
fn an_insertion_names_the_line_before_it() {
    check(
        &[("a", modified("f", &[AFTER_TWO]))],
        &["a:f"],
        "diff --git a/f b/f\n--- a/f\t\n+++ b/f\t\n@@ -2,0 +3,1 @@\n+2a\n",
        &["a f (whole file)"],
    );
}

#[test]
fn the_same_change_of_two_attempts_is_made_once_and_credited_twice() {
    let (_, made_of) =
        composed(&[("a", modified("f", &[TOP])), ("b", modified("f", &[TOP]))], &["a:f#1", "b:f#1"]).expect("composes");
    assert_eq!(made_of, ["a f @@ -1,4 +1,4 @@", "b f @@ -1,4 +1,4 @@"]);
}

#[test]
fn the_same_lines_changed_in_two_ways_are_a_conflict() {
    let why = "they change the same lines";
    let (a, b) = (modified("f", &[TOP, END]), modified("f", &[TOP_OTHER]));
    conflicts(&[("a", a.clone()), ("b", b.clone())], &["a:f#1", "b:f#1"], &[("f a#1 b#1", why)]);
    conflicts(&[("a", a.clone()), ("b", b)], &["a:f", "b:f"], &[("f a#1 b#1", why)]);
    // Where an insertion and a change touch, their order would be a guess.
    conflicts(&[("a", a), ("b", modified("f", &[AFTER_TWO]))], &["a:f#1", "b:f#1"], &[("f a#1 b#1", why)]);
}

#[test]
fn files_that_go_as_a_whole_come_from_one_attempt_or_from_twins() {
    let new = |text: &str| {
        format!(
            "diff --git a/n b/n\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+{text}\n"
        )
    };
    let binary =
        "diff --git a/n b/n\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKcmZ\n\nliteral 2\nJcmZ\n\n".to_owned();
    check(&[("a", new("x"))], &["a:n#1"], &new("x"), &["a n (whole file: it is new)"]);
    check(&[("a", binary.clone())], &["a:n"], &binary, &["a n (whole file: it is binary)"]);
    let both = ["a n (whole file: it is new)", "b n (whole file: it is new)"];
    check(&[("a", new("x")), ("b", new("x"))], &["a:n", "b:n"], &new("x"), &both);
    let why = "it can only be taken from one attempt: in a it is new, in b it is new";
    conflicts(&[("a", new("x")), ("b", new("y"))], &["a:n", "b:n"], &[("n a#- b#-", why)]);
}

#[test]
fn a_mode_goes_along_with_the_whole_file_alone() {
    let a = format!("diff --git a/f b/f\nold mode 100644\nnew mode 100755\nindex 1..2\n--- a/f\n+++ b/f\n{TOP}");
    let text = "--- a/f\t\n+++ b/f\t\n@@ -2,1 +2,1 @@\n-2\n+two\n";
    let mode = "old mode 100644\nnew mode 100755\n";
    check(&[("a", a.clone())], &["a:f"], &format!("diff --git a/f b/f\n{mode}{text}"), &["a f (whole file)"]);
    check(&[("a", a)], &["a:f#1"], &format!("diff --git a/f b/f\n{text}"), &["a f @@ -1,4 +1,4 @@"]);
}

#[test]
fn strange_names_are_read_as_git_writes_them() {
    let patch = "diff --git \"a/\\303\\274 \\\"x\\\"\\t\" \"b/\\303\\274 \\\"x\\\"\\t\"\ndeleted file mode 100644\n";
    let files = read(patch.as_bytes()).expect("a patch");
    assert_eq!(files[0].shown(), "ü \"x\"\t");
    assert_eq!(
        read(b"diff --git a/b b/c b/b b/c\nold mode 100644\nnew mode 100755\n").expect("a patch")[0].shown(),
        "b b/c"
    );
}

#[test]
fn a_hunk_that_looks_like_a_file_is_a_hunk() {
    let text = modified("f", &["@@ -1,2 +1,2 @@\n-diff --git a/x b/x\n+@@ -1 +1 @@\n --- a/x\n"]);
    let files = read(text.as_bytes()).expect("a patch");
    assert_eq!((files.len(), files[0].hunks.len()), (1, 1));
}

#[test]
fn what_there_is_not_is_refused() {
    let patches = [("a", modified("f", &[TOP]))];
    refused(&patches, &[], "nothing is chosen");
    refused(&patches, &["b:f#1"], "attempt b left nothing that could be taken");
    refused(&patches, &["a:g#1"], "attempt a did not change \"g\"");
    refused(&patches, &["a:f#2"], "there is no hunk 2 of \"f\" in attempt a");
    refused(&patches, &["a:f#0"], "there is no hunk 0 of \"f\" in attempt a");
    let files: BTreeMap<Slot, _> =
        patches.iter().map(|(l, p)| (slot(l), read(p.as_bytes()).expect("a patch"))).collect();
    let other = Choice { hash: Some("0".repeat(16)), ..choice("a:f#1") };
    match compose(&files, &[other]) {
        Err(NotComposed::Refused(refusal)) => assert!(refusal.message.contains("is not the one that was seen")),
        other => panic!("{other:?}"),
    }
    let seen = Choice { hash: Some(files[&slot("a")][0].hunks[0].hash.clone()), ..choice("a:f#1") };
    assert!(compose(&files, &[seen]).is_ok());
}

#[test]
fn broken_patches_are_said_and_never_stop_the_reader() {
    for patch in [
        "x",
        "diff --git a/x\n",
        "diff --git a/x b/y\n",
        "diff --git a/x b/x\n@@ -1 +1 @@\n-1\n",
        "diff --git a/x b/x\n@@ -1,9 @@\n",
    ] {
        assert!(read(patch.as_bytes()).is_err(), "{patch:?}");
    }
    assert_eq!(read(b"").expect("nothing"), vec![]);
}
