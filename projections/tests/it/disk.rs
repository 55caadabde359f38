//! What attempts left, what of it may go, and what that frees.

use regatta_core::event::attempt::{Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_core::{AttemptId, BlobRef, Seq};
use regatta_projections::disk::{LeftAsked, LeftSum, LeftView, LeftWish, Only};
use regatta_projections::{Can, Projection as _, Views, snapshot};

use crate::history::{History, attempt, entry, request, run, views};

fn id(slot: usize) -> AttemptId {
    attempt(run(1), slot)
}

/// A run of three attempts that is over: the first one won and was delivered; the others left the same patch of 5 bytes,
/// and the third an artifact of 1 byte besides.
fn over() -> History {
    let mut history = History::new();
    let entries = [entry("claude"), entry("codex"), entry("claude")];
    history.requested(run(1), request(Strategy::All, &entries, &[])).prepared(run(1));
    for (slot, patch) in [(0, "winner"), (1, "patch"), (2, "patch")] {
        history.running(id(slot));
        if slot == 2 {
            history.left(id(slot), Phase::Agent, &["report.html"]);
        }
        history.worked(id(slot), patch, &["src/parse.rs"]).over(id(slot), Outcome::Passed).pass(1_000);
    }
    history.picked(run(1), 0).delivery_intended(id(0)).delivered(id(0));
    history.run_finished(run(1), RunOutcome::Delivered { winner: id(0).slot });
    history
}

fn all() -> LeftAsked {
    LeftAsked { limit: 100, first: Seq(1), ..LeftAsked::default() }
}

fn left(history: &History, asked: &LeftAsked) -> LeftView {
    history.views().left(asked)
}

/// Each row in one line: attempt, bytes of patch and artifacts, bytes it takes alone, and why it stays.
fn rows(view: &LeftView) -> Vec<String> {
    let row = |row: &regatta_projections::disk::LeftRow| {
        let why = row.stays.as_deref().unwrap_or("may go");
        let (slot, patch, artifacts) = (row.attempt.slot, row.patch_bytes, row.artifacts_bytes);
        format!("{slot} {patch}+{artifacts} alone {}: {why}", row.alone_bytes)
    };
    view.rows.iter().map(row).collect()
}

#[test]
fn losers_may_go_and_what_they_share_is_counted_once() {
    let view = left(&over(), &all());
    assert_eq!(rows(&view), ["a 6+0 alone 6: it won", "c 5+1 alone 1: may go", "b 5+0 alone 0: may go"]);
    assert_eq!(view.may_go, LeftSum { attempts: 2, bytes: 6 });
    assert_eq!((view.patches_bytes, view.artifacts_bytes, view.prompts_bytes), (11, 1, 0));
}

#[test]
fn what_somebody_who_stays_needs_is_not_freed() {
    let mut history = over();
    history.delivery_intended(id(1)).delivered(id(1));
    let view = left(&history, &all());
    assert_eq!(rows(&view), ["a 6+0 alone 6: it won", "c 5+1 alone 1: may go", "b 5+0 alone 0: it was delivered"]);
    assert_eq!(view.may_go, LeftSum { attempts: 1, bytes: 1 });
}

#[test]
fn one_is_asked_about_some_or_those_that_ended_long_ago() {
    let history = over();
    let only = |only: Only| left(&history, &LeftAsked { only: vec![only], ..all() });
    // What the other one shares stays with it.
    assert_eq!(rows(&only(Only::Attempt(id(1)))), ["b 5+0 alone 0: may go"]);
    assert_eq!(only(Only::Attempt(id(1))).may_go, LeftSum { attempts: 1, bytes: 0 });
    assert_eq!(only(Only::Run(run(1))).may_go, LeftSum { attempts: 2, bytes: 6 });
    assert_eq!(only(Only::Run(run(9))), LeftView { patches_bytes: 11, artifacts_bytes: 1, ..LeftView::default() });
    let third = history.views().attempt(id(2), 0).and_then(|view| view.finished_at_us);
    let view = left(&history, &LeftAsked { since_us: third, ..all() });
    assert_eq!(
        rows(&view),
        ["a 6+0 alone 6: it won", "c 5+1 alone 1: it ended too short a time ago", "b 5+0 alone 0: may go"]
    );
    assert_eq!(view.may_go, LeftSum { attempts: 1, bytes: 0 });
    let few = left(&history, &LeftAsked { limit: 1, ..all() });
    assert_eq!((few.rows.len(), few.rows_left_out, few.may_go.attempts), (1, 2, 2));
    let archived = left(&history, &LeftAsked { first: Seq(2), ..all() });
    assert_eq!(archived.may_go, LeftSum::default());
}

#[test]
fn whoever_wants_something_done_sees_only_those_to_whom_it_can_be_done_however_much_the_others_take() {
    let mut history = over();
    history.cleaned(id(1), "clean archived removed");
    let ended = history.views().attempt(id(1), 0).and_then(|view| view.finished_at_us);
    for (wish, since_us, then) in [
        (LeftWish::Clean, None, "c"),
        (LeftWish::Restore, None, "b"),
        (LeftWish::Forget, None, "b"),
        (LeftWish::Forget, ended.map(|at| at + 1), "b"),
        (LeftWish::Forget, ended, ""),
    ] {
        let view = left(&history, &LeftAsked { wish: Some(wish), since_us, limit: 1, ..all() });
        let slots: String = view.rows.iter().map(|row| row.attempt.slot.to_string()).collect();
        assert_eq!((slots.as_str(), view.rows_left_out), (then, 0), "{wish:?} since {since_us:?}");
    }
}

#[test]
fn a_run_under_way_keeps_everything_and_its_workspaces_are_told() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1));
    history.running(id(0));
    let workspaces = [(id(0), 4_096)].into();
    let view = left(&history, &LeftAsked { workspaces, ..all() });
    assert_eq!(rows(&view), ["a 0+0 alone 0: it left nothing"]);
    assert_eq!((view.rows[0].workspace_bytes, view.may_go), (4_096, LeftSum::default()));
    assert_eq!(left(&history, &all()).rows, []);
    history.worked(id(0), "patch", &["a"]);
    assert_eq!(rows(&left(&history, &all())), ["a 5+0 alone 5: its run is under way"]);
}

#[test]
fn what_is_cleaned_takes_its_archive_until_it_is_back_or_forgotten() {
    for (words, then, cleaned) in [
        ("clean", "c 5+1 alone 1: it is being worked on", (0, 0)),
        ("clean failed", "c 5+1 alone 1: may go", (0, 0)),
        ("clean archived", "c 5+1 alone 0: it is being worked on", (0, 0)),
        ("clean archived removed", "c 5+1 alone 0: it was cleaned already", (1, 7)),
        ("clean archived removed return", "c 5+1 alone 1: it is being worked on", (0, 0)),
        ("clean archived removed return returned", "c 5+1 alone 1: may go", (0, 0)),
    ] {
        let mut history = over();
        history.cleaned(id(2), words);
        let view = left(&history, &all());
        let row = rows(&view).into_iter().find(|row| row.starts_with("c "));
        assert_eq!(row.as_deref(), Some(then), "{words}");
        assert_eq!((view.cleaned.attempts, view.cleaned.bytes), cleaned, "{words}");
        // The patch is needed by the second attempt all the same.
        assert_eq!(view.patches_bytes, 11, "{words}");
    }
    let mut history = over();
    history.cleaned(id(2), "clean archived removed forget forgotten");
    assert_eq!(rows(&left(&history, &all())).len(), 2, "nothing of it takes room any more");
    let asked = LeftAsked { only: vec![Only::Attempt(id(2))], ..all() };
    assert_eq!(rows(&left(&history, &asked)).len(), 1, "whoever asks is told all the same");
}

#[test]
fn an_attempt_says_what_became_of_what_it_left_and_what_may_be_done() {
    let mut history = over();
    let can = |history: &History| history.views().attempt(id(1), 0).map(|view| view.can).expect("attempt");
    assert!(can(&history).contains(&Can::Pick) && can(&history).contains(&Can::Restore));
    history.cleaned(id(1), "clean archived removed");
    assert!(!can(&history).contains(&Can::Pick) && !can(&history).contains(&Can::Restore));
    let view = history.views().attempt(id(1), 0).and_then(|view| view.cleaning).expect("cleaned");
    let missing = view.unreadable(id(1)).expect("missing");
    assert!(missing.hint.is_some_and(|hint| hint.ends_with(&format!("--restore {}", id(1)))));
    assert_eq!((view.by.as_str(), view.removed_bytes, view.failure), ("user:bob", 5, None));
    history.cleaned(id(1), "return failed");
    let view = history.views().attempt(id(1), 0).and_then(|view| view.cleaning).expect("cleaned");
    assert_eq!(view.failure.as_deref(), Some("it is full"));
    history.cleaned(id(1), "return returned");
    let view = history.views().attempt(id(1), 0).and_then(|view| view.cleaning).expect("was cleaned");
    assert_eq!((view.unreadable(id(1)), view.archive, view.removed_bytes), (None, None, 0));
    assert!(can(&history).contains(&Can::Pick));
}

#[test]
fn a_snapshot_keeps_it_and_a_prompt_is_no_attempts() {
    let mut history = over();
    history.cleaned(id(1), "clean archived removed");
    let prompt = regatta_core::event::run::Prompt::Blob(BlobRef::of(b"patch"));
    let long = regatta_core::event::run::Requested { prompt, ..request(Strategy::All, &[entry("claude")], &[]) };
    history.requested(run(2), long);
    let before = views(&history.events);
    let restored: Views = snapshot::restore(&snapshot::save(&before)).expect("restored");
    assert_eq!(restored.left(&all()), before.left(&all()));
    assert_eq!(restored.seq(), before.seq());
    // The same bytes are the third attempt's patch: they stay with the prompt.
    assert_eq!(before.left(&all()).may_go, LeftSum { attempts: 1, bytes: 1 });
}
