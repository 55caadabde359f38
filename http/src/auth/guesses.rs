//! Lockout: whoever shows wrong credentials too often is told to come later for a while. Pure: time is an argument.
//!
//! A good credential passes all the same, so that a program behind the same address, as an agent in a sandbox is, cannot
//! lock out a person. So a lock does not bound how many guesses are compared, and need not: each is at the 256 random bits of
//! one token, so a thousand million of them a second for a hundred years hit with a chance below 2^-190. Nor does the time
//! an answer takes help: what is looked up is a token's public name, and hashes are compared in constant time. A lock tells
//! whoever asks in vain to come later, and makes guesses seen.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Wrong credentials one source may show within [`WINDOW_US`].
pub(crate) const WRONG_PER_SOURCE_MAX: u32 = 10;
/// Wrong credentials all sources together may show within [`WINDOW_US`].
pub(crate) const WRONG_MAX: u32 = 300;
/// Within which they are counted, and for how long nobody is listened to, in microseconds.
pub(crate) const WINDOW_US: u64 = 60_000_000;
/// Sources remembered at once; the one seen longest ago is forgotten.
const SOURCES_MAX: usize = 1_024;

/// Where guesses come from: an address, of version 6 only the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                // Whoever has one address of version 6 has all 2^64 of its network.
                Self(IpAddr::V6(std::net::Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)))
            }
            other @ (IpAddr::V4(_) | IpAddr::V6(_)) => Self(other),
        }
    }
}

/// Wrong credentials in the current window.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since_us: u64,
    wrong: u32,
}

impl Count {
    fn add(&mut self, now_us: u64) {
        if now_us.saturating_sub(self.since_us) >= WINDOW_US || now_us < self.since_us {
            *self = Self { since_us: now_us, wrong: 0 };
        }
        self.wrong = self.wrong.saturating_add(1);
    }

    /// Until when nobody is listened to; nothing when anybody is.
    fn locked_until_us(&self, max: u32, now_us: u64) -> Option<u64> {
        let until_us = self.since_us + WINDOW_US;
        (self.wrong >= max && self.since_us <= now_us && now_us < until_us).then_some(until_us)
    }
}

/// Who guessed how often.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    sources: BTreeMap<Source, Count>,
    all: Count,
}

impl Guesses {
    /// A wrong credential was shown.
    pub(crate) fn wrong(&mut self, source: Source, now_us: u64) {
        self.all.add(now_us);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            let oldest = self.sources.iter().min_by_key(|(_, count)| count.since_us).map(|(source, _)| *source);
            oldest.map(|oldest| self.sources.remove(&oldest));
        }
        self.sources.entry(source).or_default().add(now_us);
    }

    /// Seconds for which this source is not listened to; nothing when it is.
    pub(crate) fn locked_s(&self, source: Source, now_us: u64) -> Option<u64> {
        let own = self.sources.get(&source).and_then(|count| count.locked_until_us(WRONG_PER_SOURCE_MAX, now_us));
        let until_us = own.or_else(|| self.all.locked_until_us(WRONG_MAX, now_us))?;
        Some((until_us - now_us).div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [u8; 4] = [127, 0, 0, 1];

    fn source(address: impl Into<IpAddr>) -> Source {
        Source::from(address.into())
    }

    fn after(wrong: u32, from: impl Fn(u32) -> Source) -> Guesses {
        let mut guesses = Guesses::default();
        (0..wrong).for_each(|n| guesses.wrong(from(n), 5));
        guesses
    }

    #[test]
    fn a_source_is_locked_out_after_so_many_and_free_when_the_window_is_over() {
        let few = after(WRONG_PER_SOURCE_MAX - 1, |_| source(HERE));
        assert_eq!(few.locked_s(source(HERE), 5), None);
        let many = after(WRONG_PER_SOURCE_MAX, |_| source(HERE));
        assert_eq!(many.locked_s(source(HERE), 5), Some(60));
        assert_eq!(many.locked_s(source([10, 0, 0, 1]), 5), None, "others are listened to");
        assert_eq!(many.locked_s(source(HERE), 5 + WINDOW_US), None);
    }

    #[test]
    fn many_sources_together_are_locked_out_too_and_few_are_remembered() {
        let spread = |n: u32| source(std::net::Ipv4Addr::from_bits(n));
        assert!(after(WRONG_MAX, spread).locked_s(source(HERE), 5).is_some());
        assert_eq!(after(3_000, spread).sources.len(), SOURCES_MAX);
    }

    #[test]
    fn the_addresses_of_one_network_are_one_source_and_mapped_ones_are_their_own() {
        let v6 = |text: &str| source(text.parse::<IpAddr>().expect("address"));
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:127.0.0.1"), source(HERE));
    }
}
