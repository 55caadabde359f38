//! What may become of what attempts left, as tables.

use regatta_core::cleaning::Step;
use regatta_core::event::CleaningEvent;
use regatta_core::event::cleaning::{Archive, Archived, Failed, Forgotten, Removed, Requested, Returned, Wish};
use regatta_core::event::run::{Judge, Strategy};
use regatta_core::{AttemptId, Event};

use super::{
    check, decided, delivered, finished, given, id, intended, over, prepared, refused, slot, synthesize, undelivered,
    won,
};
use crate::RefusalKind;
use crate::race::{Effect, Race};
use crate::run::Command;

fn b() -> AttemptId {
    id("b")
}

fn clean(letters: &str) -> Command {
    Command::Clean(slot(letters), Wish::Clean { to: None })
}

fn put_back(letters: &str) -> Command {
    Command::Clean(slot(letters), Wish::Return)
}

fn forget(letters: &str) -> Command {
    Command::Clean(slot(letters), Wish::Forget)
}

/// What happened to b, in one word each.
fn fact(word: &str) -> CleaningEvent {
    let asked = |wish| CleaningEvent::Requested(Requested { attempt: b(), wish });
    match word {
        "clean" => asked(Wish::Clean { to: None }),
        "return" => asked(Wish::Return),
        "forget" => asked(Wish::Forget),
        "archived" => {
            let archive = Archive { path: "cleaned/7q2k9x0m.b.tar.zst".into(), bytes: 9, blake3: "ab".repeat(32) };
            CleaningEvent::Archived(Archived { attempt: b(), archive, blobs: 1, blob_bytes: 20 })
        }
        "removed" => CleaningEvent::Removed(Removed { attempt: b(), blobs: 1, blob_bytes: 20, kept: 0 }),
        "returned" => CleaningEvent::Returned(Returned { attempt: b(), blobs: 1, blob_bytes: 20 }),
        "forgotten" => CleaningEvent::Forgotten(Forgotten { attempt: b() }),
        "failed" => CleaningEvent::Failed(Failed { attempt: b(), reason: "the disk is full".into() }),
        other => panic!("{other} is no fact"),
    }
}

fn facts(words: &str) -> Vec<Event> {
    words.split_whitespace().map(|word| fact(word).into()).collect()
}

/// A run that is over, and then that.
fn after(words: &str) -> Vec<Event> {
    over().into_iter().chain(facts(words)).collect()
}

#[test]
fn a_loser_is_cleaned_put_back_and_cleaned_again() {
    check(Strategy::All, &over(), clean("b"), &facts("clean"));
    check(Strategy::All, &after("clean failed"), clean("b"), &facts("clean"));
    check(Strategy::All, &after("clean archived removed"), put_back("b"), &facts("return"));
    check(Strategy::All, &after("clean archived removed return failed"), put_back("b"), &facts("return"));
    check(Strategy::All, &after("clean archived removed return returned"), clean("b"), &facts("clean"));
    check(Strategy::All, &after("clean archived removed"), forget("b"), &facts("forget"));
}

#[test]
fn what_somebody_needs_stays() {
    let all = Strategy::All;
    let stays = |reason: &str| format!("what attempt b left stays as it is: {reason}");
    refused(all, &[], clean("b"), "run 7q2k9x0m has not started yet");
    refused(all, &[prepared()], clean("b"), &stays("its run is under way"));
    refused(all, &over(), clean("d"), "run 7q2k9x0m has no attempt d");
    let picked = [decided(Some("b"), Judge::Human, "reads best"), intended("b")];
    let picked: Vec<Event> = over().into_iter().chain(picked).collect();
    refused(all, &picked, clean("b"), &stays("its run is under way"));
    let end = [delivered("b"), finished(won("b"))];
    let end: Vec<Event> = picked.iter().cloned().chain(end).collect();
    refused(all, &end, clean("b"), &stays("it won"));
    check(all, &end, clean("a"), &[asked_for("a")]);
    // Brought home without having won, it stays as well; one that could not be does not.
    let restored = |last: Vec<Event>| -> Vec<Event> { over().into_iter().chain([intended("b")]).chain(last).collect() };
    refused(all, &restored(vec![]), clean("b"), &stays("it is being delivered"));
    refused(all, &restored(vec![delivered("b")]), clean("b"), &stays("it was delivered"));
    check(all, &restored(vec![undelivered("b")]), clean("b"), &facts("clean"));
}

fn asked_for(letters: &str) -> Event {
    CleaningEvent::Requested(Requested { attempt: id(letters), wish: Wish::Clean { to: None } }).into()
}

#[test]
fn only_what_is_in_an_archive_is_put_back_or_forgotten() {
    for (words, put_back_says, forget_says) in [
        ("", "what attempt b left is where it was", "what attempt b left is where it was"),
        ("clean", "attempt b is being cleaned", "attempt b is being cleaned"),
        ("clean archived", "attempt b is being cleaned", "attempt b is being cleaned"),
        ("clean archived removed return", "attempt b is being put back", "attempt b is being put back"),
        (
            "clean archived removed forget forgotten",
            "the archive of what attempt b left was removed for good",
            "the archive of what attempt b left was removed for good",
        ),
    ] {
        refused(Strategy::All, &after(words), put_back("b"), put_back_says);
        refused(Strategy::All, &after(words), forget("b"), forget_says);
    }
}

#[test]
fn what_is_cleaned_cannot_be_picked_delivered_or_put_together() {
    let pick = || Command::Pick(slot("b"), "reads best".into(), false);
    let gone = "what 7q2k9x0m.b left was cleaned: it is in the archive cleaned/7q2k9x0m.b.tar.zst";
    for (words, kind, then) in [
        ("clean", RefusalKind::WrongState, "what 7q2k9x0m.b left is being moved into an archive"),
        ("clean archived", RefusalKind::Cleaned, gone),
        ("clean archived removed", RefusalKind::Cleaned, gone),
        ("clean archived removed return", RefusalKind::Cleaned, "what 7q2k9x0m.b left is being put back"),
        (
            "clean archived removed forget forgotten",
            RefusalKind::Cleaned,
            "what 7q2k9x0m.b left was cleaned, and its archive was removed for good",
        ),
    ] {
        for when in [pick(), Command::Restore(slot("b")), synthesize(&["a", "b"])] {
            let refusal = given(Strategy::All, &after(words)).decide(when).expect_err("a refusal");
            assert_eq!((refusal.kind, refusal.message.as_str()), (kind, then), "{words}");
        }
    }
    let refusal = given(Strategy::All, &after("clean archived removed")).decide(pick()).expect_err("a refusal");
    assert_eq!(refusal.hint.as_deref(), Some("put it back: regatta clean --restore 7q2k9x0m.b"));
    let then = [decided(Some("b"), Judge::Human, "reads best"), intended("b")];
    check(Strategy::All, &after("clean archived removed return returned"), pick(), &then);
}

#[test]
fn what_came_of_a_cleaning_is_a_fact_when_it_was_to_be_done() {
    let said = |word: &str| Command::Cleaned(Box::new(fact(word)));
    for (words, fits) in [
        ("clean", &["archived", "failed"][..]),
        ("clean archived", &["removed"]),
        ("clean archived removed", &[]),
        ("clean archived removed return", &["returned", "failed"]),
        ("clean archived removed forget", &["forgotten", "failed"]),
    ] {
        for word in ["archived", "removed", "returned", "forgotten", "failed", "clean"] {
            if fits.contains(&word) {
                check(Strategy::All, &after(words), said(word), &facts(word));
            } else {
                refused(Strategy::All, &after(words), said(word), "that was said already");
            }
        }
    }
}

#[test]
fn what_was_asked_for_is_due_until_it_is_told() {
    for (words, due) in [
        ("", None),
        ("clean", Some(Step::Archive)),
        ("clean failed", None),
        ("clean archived", Some(Step::Remove)),
        ("clean archived removed", None),
        ("clean archived removed return", Some(Step::Return)),
        ("clean archived removed return returned", None),
        ("clean archived removed forget", Some(Step::Forget)),
        ("clean archived removed forget forgotten", None),
    ] {
        let race = Race::new(given(Strategy::All, &after(words)));
        let then = due.map(|step| Effect::Clean(slot("b"), step)).into_iter().collect();
        assert_eq!(race.due().effects, then, "{words}");
        assert_eq!(race.is_quiet(), due.is_none(), "{words}");
    }
    // Also while another attempt is brought home.
    let racing: Vec<Event> =
        after("clean").into_iter().chain([decided(Some("a"), Judge::Human, "reads best"), intended("a")]).collect();
    let race = Race::new(given(Strategy::All, &racing));
    assert!(race.due().effects.contains(&Effect::Clean(slot("b"), Step::Archive)));
}
