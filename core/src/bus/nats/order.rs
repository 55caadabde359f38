//! Puts events that come out of the stream in the order of their log, and tells which of several that claim one place is
//! the right one: the one with which the block it belongs to has the hash that the chain says. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Error;
use super::mirror::{Mirrored, Skipped};
use crate::Seq;
use crate::log::journal::link::{Link, Made};
use crate::log::journal::record::Record;
use crate::log::journal::{GENESIS, Hash};

/// Most events that wait for an earlier one. The relay has fewer in flight.
const EARLY_MAX: usize = 65_536;
/// Most bytes of them.
const EARLY_BYTES_MAX: usize = 256 << 20;
/// Most events of a block: after so many without a fitting end there is none.
const BLOCK_MAX: u64 = 4_096;
/// Ways of choosing among events that claim one place that are tried for one block.
const CHOICES_MAX: usize = 64;
/// Messages that are left out and are named one by one.
const SKIPPED_MAX: usize = 100;

/// What may be written next.
#[derive(Debug)]
pub(super) enum Next {
    /// A block that is as the chain says.
    Block(Made),
    /// An event of which the chain says nothing.
    Loose(Box<Mirrored>),
}

/// The events that wait, and what was handed on.
#[derive(Debug)]
pub(super) struct Order {
    /// By place in the log; several when they differ.
    early: BTreeMap<u64, Vec<Mirrored>>,
    events: usize,
    bytes: usize,
    /// The last event that was handed on, and the hash of its block.
    last: u64,
    hash: Hash,
    /// Every event before it was looked at for the end of the block that follows.
    looked: u64,
    /// Whether the chain is followed: it is from its first block on, or not at all.
    chained: Option<bool>,
    /// What does not fit the chain.
    broken: Option<String>,
    /// Something that only the same event has, of every one that was handed on.
    prints: Vec<u64>,
    /// Messages that were left out, the first ones.
    pub(super) skipped: Vec<Skipped>,
    /// How many there are more.
    pub(super) skipped_more: u64,
}

fn print(line: &Bytes) -> u64 {
    let hash = blake3::hash(line);
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Order {
    /// Nothing yet. With `chained`, what does not follow the chain is refused when the stream tells one.
    pub(super) fn new(chained: bool) -> Self {
        Self {
            early: BTreeMap::new(),
            events: 0,
            bytes: 0,
            last: 0,
            hash: GENESIS,
            looked: 1,
            chained: (!chained).then_some(false),
            broken: None,
            prints: Vec::new(),
            skipped: Vec::new(),
            skipped_more: 0,
        }
    }

    /// Whether it follows the chain.
    pub(super) fn is_chained(&self) -> bool {
        self.chained == Some(true)
    }

    pub(super) fn skip(&mut self, skipped: Skipped) {
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(skipped);
        } else {
            self.skipped_more += 1;
        }
    }

    /// One more event.
    pub(super) fn put(&mut self, event: Mirrored) -> Result<(), Error> {
        let seq = event.envelope.seq.0;
        if seq <= self.last {
            let known = usize::try_from(seq).ok().and_then(|seq| self.prints.get(seq.checked_sub(1)?));
            return if known == Some(&print(&event.line)) { Ok(()) } else { self.second(&event) };
        }
        let others = self.early.entry(seq).or_default();
        // Published twice.
        if others.iter().any(|other| (&other.line, &other.link) == (&event.line, &event.link)) {
            return Ok(());
        }
        (self.events, self.bytes) = (self.events + 1, self.bytes + event.line.len());
        others.push(event);
        self.looked = self.looked.min(seq);
        if self.events > EARLY_MAX || self.bytes > EARLY_BYTES_MAX {
            return Err(self.broken().unwrap_or_else(|| self.missing()));
        }
        Ok(())
    }

    /// Another one for a place that is taken.
    fn second(&mut self, event: &Mirrored) -> Result<(), Error> {
        let seq = event.envelope.seq;
        if !self.is_chained() {
            return Err(Error::Disordered(format!("there are two events {seq}")));
        }
        self.refuse(event);
        Ok(())
    }

    fn refuse(&mut self, event: &Mirrored) {
        let reason = format!("it claims to be event {}, and the chain has another one", event.envelope.seq);
        self.skip(Skipped { place: event.place, reason });
    }

    /// What follows what was handed on, as far as that is known.
    pub(super) fn next(&mut self) -> Result<Option<Next>, Error> {
        if self.chained == Some(false) {
            return self.loose();
        }
        while let Some(candidates) = self.early.get(&self.looked) {
            let begins = self.last + 1;
            let links: Vec<Link> =
                candidates.iter().filter_map(|event| event.link).filter(|link| link.first == begins).collect();
            self.looked += 1;
            for link in links {
                match self.block(&link) {
                    Some(made) => return Ok(Some(Next::Block(made))),
                    None => self.broken = Some(self.told(&link)),
                }
            }
            if self.looked > self.last + BLOCK_MAX {
                return self.unlinked();
            }
        }
        Ok(None)
    }

    /// When the stream has no more: what is left, one after the other, when nothing is missing in it.
    pub(super) fn rest(&mut self) -> Result<Option<Next>, Error> {
        self.broken().map_or(Ok(()), Err)?;
        let ends = self.early.last_key_value().map_or(self.last, |(seq, _)| *seq);
        // Else what goes before would be in the way of the block it is of, once that is whole.
        if ends - self.last > self.early.len() as u64 {
            return Err(self.missing());
        }
        self.loose()
    }

    fn unlinked(&mut self) -> Result<Option<Next>, Error> {
        self.broken().map_or(Ok(()), Err)?;
        if self.last > 0 {
            return Err(Error::Unchained(format!(
                "nothing says where the block ends that begins with event {}",
                self.last + 1
            )));
        }
        // Whoever published this said nothing of the chain.
        self.chained = Some(false);
        self.loose()
    }

    fn missing(&self) -> Error {
        let mut seq = self.last + 1;
        while self.early.contains_key(&seq) {
            seq += 1;
        }
        let next = self.early.range(seq..).flat_map(|(_, events)| events).next();
        Error::Missing { seq: Seq(seq), next: next.map(|event| (event.envelope.seq, event.place)) }
    }

    fn broken(&self) -> Option<Error> {
        self.broken.clone().map(Error::Unchained)
    }

    fn told(&self, link: &Link) -> String {
        let Link { first, last, .. } = link;
        let claims = |(seq, events): (&u64, &Vec<Mirrored>)| {
            let places: Vec<String> = events.iter().map(|event| event.place.to_string()).collect();
            (events.len() > 1).then(|| format!("messages {} all claim to be event {seq}", places.join(" and ")))
        };
        let several: Vec<String> = self.early.range(first..=last).filter_map(claims).collect();
        let why = match (several.is_empty(), link.prev == self.hash) {
            (false, _) => several.join(", "),
            (true, true) => "one of them was changed".to_owned(),
            (true, false) => "they follow another block than the one before them".to_owned(),
        };
        format!("events {first} to {last} are not what the chain of hashes says: {why}")
    }

    /// The block of a link, when some choice of the events that wait makes it.
    fn block(&mut self, link: &Link) -> Option<Made> {
        if link.prev != self.hash {
            return None;
        }
        let places: Vec<&Vec<Mirrored>> = (link.first..=link.last).map_while(|seq| self.early.get(&seq)).collect();
        let mut choice = vec![0; places.len()];
        for _ in 0..CHOICES_MAX {
            let chosen = places.iter().zip(&choice).filter_map(|(events, chosen)| events.get(*chosen));
            let made = link.make(chosen.map(|event| Record::of_event(&event.envelope, event.more)));
            if made.is_some() {
                self.hand_on(link, &choice);
                return made;
            }
            if !advance(&mut choice, &places) {
                break;
            }
        }
        None
    }

    fn hand_on(&mut self, link: &Link, choice: &[usize]) {
        for (seq, chosen) in (link.first..=link.last).zip(choice) {
            for (index, event) in self.take(seq).into_iter().enumerate() {
                if index == *chosen {
                    self.prints.push(print(&event.line));
                } else {
                    self.refuse(&event);
                }
            }
        }
        (self.last, self.hash, self.looked) = (link.last, link.hash, link.last + 1);
        (self.chained, self.broken) = (Some(true), None);
    }

    fn take(&mut self, seq: u64) -> Vec<Mirrored> {
        let taken = self.early.remove(&seq).unwrap_or_default();
        self.events -= taken.len();
        self.bytes -= taken.iter().map(|event| event.line.len()).sum::<usize>();
        taken
    }

    /// The next event, of which the chain says nothing.
    fn loose(&mut self) -> Result<Option<Next>, Error> {
        let seq = self.last + 1;
        let Some(candidates) = self.early.get(&seq) else { return Ok(None) };
        let same = |event: &&Mirrored| Some(&event.line) == candidates.first().map(|first| &first.line);
        if candidates.iter().filter(same).count() != candidates.len() {
            return Err(Error::Disordered(format!("there are two events {seq}")));
        }
        let event = self.take(seq).into_iter().next();
        self.last = seq;
        self.looked = seq + 1;
        Ok(event.map(|event| {
            self.prints.push(print(&event.line));
            Next::Loose(Box::new(event))
        }))
    }
}

/// The next choice; whether there is one.
fn advance(choice: &mut [usize], places: &[&Vec<Mirrored>]) -> bool {
    for (chosen, events) in choice.iter_mut().zip(places) {
        *chosen += 1;
        if *chosen < events.len() {
            return true;
        }
        *chosen = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::journal::block::Builder;
    use crate::log::transfer::read_line;

    const NONCE: u64 = 7;

    /// An event whose place in the stream is its number, and a thousand more when it is forged.
    fn event(seq: u64, is_forged: bool) -> Mirrored {
        let actor = if is_forged { "user:eve" } else { "user:ada" };
        let line = format!(
            "{{\"seq\":{seq},\"stream\":\"run/a\",\"stream_seq\":{seq},\"id\":\"{:032x}\",\"kind\":1,\"version\":1,\
             \"at_us\":{seq},\"actor\":\"{actor}\",\"cause\":null,\"correlation\":\"{:032x}\",\"dedup\":null,\
             \"payload\":{{}}}}\n",
            u128::from(seq),
            1
        );
        let (envelope, more) = read_line(line.as_bytes()).expect("a line");
        let install = "abcd".parse().expect("install");
        let place = seq + if is_forged { 1_000 } else { 0 };
        Mirrored { install, envelope, place, more, line: line.into(), link: None }
    }

    /// The events of blocks of these lengths, linked.
    fn chain(lengths: &[u64]) -> Vec<Mirrored> {
        let (mut events, mut first, mut prev) = (Vec::new(), 1, GENESIS);
        for length in lengths {
            let last = first + length - 1;
            let mut block: Vec<Mirrored> = (first..=last).map(|seq| event(seq, false)).collect();
            let mut builder = Builder::default();
            for event in &block {
                builder.push(&Record::of_event(&event.envelope, event.more)).expect("pushed");
            }
            builder.pack();
            let (_, hash) = builder.finish(first, prev, NONCE).expect("finished");
            let link = Link { first, last, nonce: NONCE, prev, hash };
            block.last_mut().expect("an event").link = Some(link);
            events.append(&mut block);
            (first, prev) = (last + 1, hash);
        }
        events
    }

    /// The last events of blocks, and loose events, as they are handed on; and how it ended.
    fn run(events: Vec<Mirrored>) -> (Vec<u64>, Vec<u64>, Order, Result<(), Error>) {
        let mut order = Order::new(true);
        let (mut blocks, mut loose) = (Vec::new(), Vec::new());
        let go = |order: &mut Order| -> Result<(), Error> {
            let mut take = |next| match next {
                Next::Block(made) => blocks.push(made.link.last),
                Next::Loose(event) => loose.push(event.envelope.seq.0),
            };
            for event in events {
                order.put(event)?;
                while let Some(next) = order.next()? {
                    take(next);
                }
            }
            while let Some(next) = order.rest()? {
                take(next);
            }
            Ok(())
        };
        let ended = go(&mut order);
        (blocks, loose, order, ended)
    }

    #[test]
    fn blocks_come_out_in_order_whatever_order_their_events_came_in() {
        let mut events = chain(&[3, 1, 4]);
        events.reverse();
        events.push(events[2].clone());
        let (blocks, loose, order, ended) = run(events);
        ended.expect("whole");
        assert_eq!((blocks, loose, order.is_chained(), order.skipped), (vec![3, 4, 8], vec![], true, vec![]));
    }

    #[test]
    fn of_several_that_claim_a_place_the_one_of_the_chain_is_taken() {
        for forged_at in [0, 2, 7] {
            let mut events = chain(&[3, 1, 4]);
            for seq in [2, 4, 7] {
                events.insert(forged_at, event(seq, true));
            }
            let (blocks, loose, order, ended) = run(events);
            ended.expect("whole");
            assert_eq!((blocks, loose), (vec![3, 4, 8], vec![]));
            let mut places: Vec<u64> = order.skipped.iter().map(|skipped| skipped.place).collect();
            places.sort_unstable();
            assert_eq!(places, [1_002, 1_004, 1_007]);
        }
    }

    #[test]
    fn what_the_chain_does_not_know_is_refused_with_its_place() {
        let mut events = chain(&[3, 1, 4]);
        events[1] = Mirrored { link: None, ..event(2, true) };
        let (blocks, _, _, ended) = run(events);
        assert_eq!(blocks, [0; 0]);
        let reason = "events 1 to 3 are not what the chain of hashes says: one of them was changed";
        assert!(matches!(ended, Err(Error::Unchained(told)) if told == reason));
    }

    #[test]
    fn what_is_missing_is_named_with_what_follows() {
        let mut events = chain(&[3, 4]);
        events.remove(4);
        let (blocks, loose, _, ended) = run(events);
        assert_eq!((blocks, loose), (vec![3], vec![]), "nothing of half a block");
        assert!(matches!(ended, Err(Error::Missing { seq: Seq(5), next: Some((Seq(6), 6)) })), "{ended:?}");
    }

    #[test]
    fn events_without_a_chain_are_loose_and_so_is_the_end_of_one() {
        let bare = |upto: u64| (1..=upto).map(|seq| event(seq, false)).collect::<Vec<_>>();
        for upto in [5, 2 * BLOCK_MAX] {
            let (blocks, loose, order, ended) = run(bare(upto));
            ended.expect("whole");
            assert_eq!((blocks, loose.len() as u64, order.is_chained()), (vec![], upto, false));
        }
        let mut events = chain(&[3]);
        events.extend((4..=6).map(|seq| event(seq, false)));
        let (blocks, loose, order, ended) = run(events);
        ended.expect("whole");
        assert_eq!((blocks, loose, order.is_chained()), (vec![3], vec![4, 5, 6], true));
    }
}
