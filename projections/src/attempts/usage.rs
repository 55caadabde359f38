//! What an attempt used, as a fold over the raw bytes its agents printed. Raw is truth, this is reading: a better reader
//! improves old runs too. Holds a few numbers and one bounded line.

use regatta_agents::{Measure, Meter, Usage};
use serde::{Deserialize, Serialize};

use super::{UsageSource, UsageView};

/// Longest line that is read, in bytes; a longer one is passed over. What agents say of usage is far shorter.
pub const USAGE_LINE_BYTES_MAX: usize = 128 << 10;

/// What an attempt used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Used {
    /// Under earlier leases; that was paid for as well.
    before: Usage,
    /// The weakest measure among those.
    before_measure: Option<KeptMeasure>,
    meter: Meter,
    /// The line that has not ended yet.
    partial: Vec<u8>,
    /// Whether that line is too long to be read.
    is_skipping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptMeasure {
    Estimated,
    Reported,
}

impl Used {
    /// Takes the next bytes of an agent's standard output.
    pub(super) fn read(&mut self, agent: &str, mut bytes: &[u8]) {
        if !Meter::knows(agent) {
            return;
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.keep(line);
            if !self.is_skipping {
                self.meter.read(agent, &self.partial);
            }
            self.partial.clear();
            self.is_skipping = false;
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.is_skipping || self.partial.len() + piece.len() > USAGE_LINE_BYTES_MAX {
            self.is_skipping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(piece);
        }
    }

    /// Nothing more is printed under this lease.
    pub(super) fn settle(&mut self, agent: &str) {
        let last = std::mem::take(&mut self.partial);
        if !self.is_skipping && !last.is_empty() {
            self.meter.read(agent, &last);
        }
        self.is_skipping = false;
    }

    /// A new lease begins anew, but what was used stays used.
    pub(super) fn begin(&mut self, agent: &str) {
        self.settle(agent);
        let (used, measure) = self.meter.used();
        let measure = match measure {
            Measure::Unknown => None,
            Measure::Estimated => Some(KeptMeasure::Estimated),
            Measure::Reported => Some(KeptMeasure::Reported),
        };
        self.before = self.before.plus(used);
        self.before_measure = weakest(self.before_measure, measure);
        self.meter = Meter::default();
    }

    pub(super) fn view(&self) -> UsageView {
        let (used, measure) = self.meter.used();
        let measure = match measure {
            Measure::Unknown => None,
            Measure::Estimated => Some(KeptMeasure::Estimated),
            Measure::Reported => Some(KeptMeasure::Reported),
        };
        let all = self.before.plus(used);
        let source = match weakest(self.before_measure, measure) {
            None => return UsageView::default(),
            Some(KeptMeasure::Estimated) => UsageSource::Estimated,
            Some(KeptMeasure::Reported) => UsageSource::Reported,
        };
        UsageView {
            tokens_in: Some(all.input_tokens),
            tokens_cached: Some(all.cached_input_tokens),
            tokens_out: Some(all.output_tokens),
            cost_usd_micros: all.cost_microdollars,
            source,
        }
    }
}

fn weakest(one: Option<KeptMeasure>, other: Option<KeptMeasure>) -> Option<KeptMeasure> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl UsageView {
    /// Both together; known as well as the weaker of the two that are known.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        let source = match (self.source, other.source) {
            (UsageSource::Unknown, source) | (source, UsageSource::Unknown) => source,
            (one, other) => one.max(other),
        };
        Self {
            tokens_in: sum(self.tokens_in, other.tokens_in),
            tokens_cached: sum(self.tokens_cached, other.tokens_cached),
            tokens_out: sum(self.tokens_out, other.tokens_out),
            cost_usd_micros: sum(self.cost_usd_micros, other.cost_usd_micros),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &[u8] = br#"{"type":"result","usage":{"input_tokens":5,"output_tokens":2},"total_cost_usd":0.25}"#;

    fn view(pieces: &[&[u8]]) -> UsageView {
        let mut used = Used::default();
        for piece in pieces {
            used.read("claude", piece);
            assert!(used.partial.len() <= USAGE_LINE_BYTES_MAX);
        }
        used.settle("claude");
        used.view()
    }

    #[test]
    fn the_pieces_a_line_comes_in_do_not_matter_and_its_end_may_be_missing() {
        let whole = view(&[RESULT]);
        assert_eq!((whole.tokens_in, whole.tokens_out, whole.cost_usd_micros), (Some(5), Some(2), Some(250_000)));
        let (head, tail) = RESULT.split_at(30);
        assert_eq!(view(&[b"noise\n", head, tail, b"\nmore"]), whole);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let long = vec![b'x'; USAGE_LINE_BYTES_MAX];
        assert_eq!(view(&[b"y", &long, &long, b"\n", RESULT, b"\n"]).source, UsageSource::Reported);
        assert_eq!(view(&[b"y", &long, RESULT]), UsageView::default());
    }

    #[test]
    fn what_was_used_under_an_earlier_lease_stays_used() {
        let mut used = Used::default();
        used.read("claude", RESULT);
        used.begin("claude");
        used.read("claude", RESULT);
        used.settle("claude");
        let view = used.view();
        assert_eq!((view.tokens_in, view.cost_usd_micros), (Some(10), Some(500_000)));
    }
}
