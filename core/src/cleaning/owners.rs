//! Who needs which blob, folded from the log: the same bytes may be the patch of several attempts, an artifact of another
//! one and somebody's prompt. Pure. Holds one entry per blob that was ever named; what came as bytes is passed over.

use std::collections::HashMap;

use blake3::Hash;

use super::{Cleaning, Place};
use crate::event::RunEvent;
use crate::{AttemptId, Envelope, Event, Seq};

/// Who needs which blob, up to a position.
#[derive(Debug, Default)]
pub struct Owners {
    seq: Seq,
    by_blob: HashMap<Hash, Vec<Owner>>,
    cleanings: HashMap<AttemptId, Cleaning>,
    /// Events that cannot be read may name any blob.
    is_blind: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// An attempt, until it is cleaned.
    Attempt(AttemptId),
    /// Somebody who needs it for ever.
    Other,
}

impl Owners {
    /// The last event that was taken in.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Takes in the next event.
    pub fn fold(&mut self, envelope: &Envelope) {
        self.seq = envelope.seq;
        // They name no blob, and come without their bytes from whoever has read for this.
        if envelope.kind.is_raw() {
            return;
        }
        let Ok(event) = envelope.event() else {
            self.is_blind = true;
            return;
        };
        self.is_blind |= matches!(event, Event::Unknown { .. });
        if let Event::Cleaning(event) = &event {
            self.cleanings.entry(event.attempt()).or_default().evolve(event);
        }
        let owner = owner(envelope, &event);
        for (blob, _) in event.blobs() {
            // What is no name of a blob cannot be removed by it, either.
            let Ok(hash) = Hash::from_hex(&blob.hash) else { continue };
            let owners = self.by_blob.entry(hash).or_default();
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
    }

    /// Whether anybody needs it whose bytes are not in an archive.
    #[must_use]
    pub fn need(&self, hash: &str) -> bool {
        let needs = |owner: &Owner| match owner {
            Owner::Other => true,
            Owner::Attempt(attempt) => self.place(*attempt).needs_blobs(),
        };
        let owners = Hash::from_hex(hash).ok().and_then(|hash| self.by_blob.get(&hash));
        self.is_blind || owners.is_some_and(|owners| owners.iter().any(needs))
    }

    fn place(&self, attempt: AttemptId) -> Place {
        self.cleanings.get(&attempt).map_or(Place::Here, |cleaning| cleaning.place)
    }
}

/// Whose the blobs are that an event names.
fn owner(envelope: &Envelope, event: &Event) -> Owner {
    let Some((family, name)) = envelope.stream.as_str().split_once('/') else { return Owner::Other };
    let attempt = if matches!(event, Event::Attempt(_)) && family == "attempt" {
        name.parse().ok()
    } else if let Event::Run(RunEvent::SynthesisRequested(synthesis)) = event
        && family == "run"
    {
        name.parse().ok().map(|run| AttemptId { run, slot: synthesis.slot })
    } else {
        None
    };
    attempt.map_or(Owner::Other, Owner::Attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AttemptEvent;
    use crate::event::attempt::{Collected, DiffStat};
    use crate::event::cleaning::{Archive, Archived, CleaningEvent, Removed, Requested, Returned, Wish};
    use crate::log::MemoryLog;
    use crate::{Actor, Append, BlobRef, Draft, Expect, Kind, Log as _, ReadMax, Stream, SystemClock};

    /// A log in which attempts a and b left the same patch, and what was said of them since.
    fn told(words: &str) -> Owners {
        let log = MemoryLog::default();
        let say = |stream: Stream, event: Event| {
            let draft = Draft::new(&event, &SystemClock, Actor::regatta(), uuid::Uuid::nil());
            let append = Append { stream, expect: Expect::Any, events: vec![draft] };
            log.submit(append).try_recv().expect("answered").expect("appended");
        };
        for slot in ["a", "b"] {
            let patch = Some(BlobRef::of(b"patch"));
            let collected = Collected { epoch: 1, patch, stat: DiffStat::default(), files: vec![], failure: None };
            say(Stream::attempt(id(slot)), Event::Attempt(AttemptEvent::Collected(collected)));
        }
        for (slot, word) in words.split_whitespace().filter_map(|word| word.split_once(':')) {
            let attempt = id(slot);
            let archive = Archive { path: "x".to_owned(), bytes: 1, blake3: String::new() };
            let event = match word {
                "clean" => CleaningEvent::Requested(Requested { attempt, wish: Wish::Clean { to: None } }),
                "archived" => CleaningEvent::Archived(Archived { attempt, archive, blobs: 1, blob_bytes: 5 }),
                "removed" => CleaningEvent::Removed(Removed { attempt, blobs: 1, blob_bytes: 5, kept: 0 }),
                "return" => CleaningEvent::Requested(Requested { attempt, wish: Wish::Return }),
                "returned" => CleaningEvent::Returned(Returned { attempt, blobs: 1, blob_bytes: 5 }),
                other => panic!("{other} is no fact"),
            };
            say(Stream::cleaning(attempt.run), Event::Cleaning(event));
        }
        let mut owners = Owners::default();
        let told = log.read(Seq(1), ReadMax { events: usize::MAX, bytes: usize::MAX }).expect("read");
        told.iter().for_each(|envelope| owners.fold(envelope));
        owners
    }

    fn id(slot: &str) -> AttemptId {
        format!("7q2k9x0m.{slot}").parse().expect("attempt")
    }

    #[test]
    fn a_blob_is_needed_as_long_as_one_of_its_owners_needs_it() {
        for (words, is_needed) in [
            ("", true),
            ("a:clean", true),
            ("a:clean a:archived a:removed", true),
            ("a:clean a:archived b:clean b:archived", false),
            ("a:clean a:archived b:clean b:archived b:removed b:return", true),
            ("a:clean a:archived b:clean b:archived b:removed b:return b:returned", true),
        ] {
            assert_eq!(told(words).need(&BlobRef::of(b"patch").hash), is_needed, "{words}");
        }
    }

    #[test]
    fn nobody_needs_what_was_never_named_and_who_cannot_read_an_event_spares_everything() {
        let mut owners = told("");
        let other = BlobRef::of(b"other").hash;
        assert!(!owners.need(&other) && !owners.need("no name"));
        let log = MemoryLog::default();
        let event = Event::Unknown { kind: Kind(0xff01), version: 1, payload: bytes::Bytes::new() };
        let draft = Draft::new(&event, &SystemClock, Actor::regatta(), uuid::Uuid::nil());
        let stream = Stream::try_from("later/x").expect("stream");
        let append = Append { stream, expect: Expect::Any, events: vec![draft] };
        log.submit(append).try_recv().expect("answered").expect("appended");
        let mut envelope = log.read(Seq(1), ReadMax::default()).expect("read").remove(0);
        // What a gateway sent, read without its bytes, hides nothing.
        for raw in Kind::RAW {
            owners.fold(&Envelope { kind: raw, ..envelope.clone() });
            assert!(!owners.need(&other), "{raw}");
        }
        envelope.seq = envelope.seq.next();
        owners.fold(&envelope);
        assert!(owners.need(&other));
    }
}
