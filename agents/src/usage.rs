//! What an agent used, line by line, in a form that can be put down and taken up: a fold over the raw output that holds
//! a few numbers. The agent's own measure, not ours.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{micros, number, text_at};
use crate::said::Usage;
use crate::{claude, codex, openclaw};

/// Longest name of a message that is remembered, in characters.
const MESSAGE_CHARS_MAX: usize = 128;

/// What an agent used so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// What it said at its end, which is all it used.
    reported: Option<Usage>,
    /// Sums over the messages before the one under way.
    before: Usage,
    /// The message under way, and what it used so far.
    message: Option<(String, Usage)>,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Nothing was said.
    Unknown,
    /// Summed up from what was said on the way; the end was not seen.
    Estimated,
    /// The agent's own sum.
    Reported,
}

impl Meter {
    /// Whether an agent of that name says what it uses at all.
    #[must_use]
    pub fn knows(agent: &str) -> bool {
        [claude::KNOWN, codex::KNOWN, openclaw::KNOWN].iter().any(|known| known.name == agent)
    }

    /// Takes the next line of standard output of an agent of that name.
    pub fn read(&mut self, agent: &str, line: &[u8]) {
        // Most lines say nothing of it, and reading JSON is dear.
        let is_end = || agent == openclaw::KNOWN.name && memchr::memmem::find(line, b"\"final\"").is_some();
        if memchr::memmem::find(line, b"\"usage\"").is_none() && !is_end() {
            return;
        }
        let Ok(line) = serde_json::from_slice::<Value>(line) else { return };
        match (agent, text_at(&line, "/type").or(text_at(&line, "/event"))) {
            ("claude", Some("result")) => {
                self.reported = Some(claude::usage(&line, "/usage", micros(&line, "/total_cost_usd")));
            }
            ("claude", Some("assistant")) => {
                self.message(text_at(&line, "/message/id"), claude::usage(&line, "/message/usage", None));
            }
            ("openclaw", Some("session.message")) => {
                self.message(text_at(&line, "/message/__openclaw/id"), openclaw::usage(&line));
            }
            // It says what each message used, and never a sum.
            ("openclaw", Some("chat")) if text_at(&line, "/state") == Some("final") => {
                self.reported = self.message.is_some().then(|| self.used().0);
            }
            ("codex", Some("turn.completed")) => {
                let used = Usage {
                    input_tokens: number(&line, "/usage/input_tokens"),
                    cached_input_tokens: number(&line, "/usage/cached_input_tokens"),
                    output_tokens: number(&line, "/usage/output_tokens"),
                    cost_microdollars: None,
                };
                self.reported = Some(used);
            }
            _ => {}
        }
    }

    /// A message comes in pieces, each with what it used so far.
    fn message(&mut self, id: Option<&str>, usage: Usage) {
        let id: String = id.unwrap_or_default().chars().take(MESSAGE_CHARS_MAX).collect();
        match &mut self.message {
            Some((known, so_far)) if *known == id => *so_far = usage,
            message => self.before = self.before.plus(message.replace((id, usage)).unwrap_or_default().1),
        }
    }

    /// What was used, and who says so.
    #[must_use]
    pub fn used(&self) -> (Usage, Measure) {
        match (&self.reported, &self.message) {
            (Some(reported), _) => (*reported, Measure::Reported),
            (None, Some((_, so_far))) => (self.before.plus(*so_far), Measure::Estimated),
            (None, None) => (Usage::default(), Measure::Unknown),
        }
    }
}

impl Usage {
    /// Both together; a cost that one of them does not tell counts as nothing.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let cost = match (self.cost_microdollars, other.cost_microdollars) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
        };
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost_microdollars: cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(agent: &str, output: &[u8], then: (u64, u64, Option<u64>, Measure)) {
        let mut meter = Meter::default();
        output.split(|byte| *byte == b'\n').for_each(|line| meter.read(agent, line));
        let (used, measure) = meter.used();
        assert_eq!((used.input_tokens, used.output_tokens, used.cost_microdollars, measure), then);
        let json = serde_json::to_vec(&meter).expect("json");
        assert_eq!(serde_json::from_slice::<Meter>(&json).expect("a meter"), meter);
    }

    const CLAUDE: &[u8] = include_bytes!("../tests/fixtures/claude.jsonl");
    const CODEX: &[u8] = include_bytes!("../tests/fixtures/codex.jsonl");
    const OPENCLAW: &[u8] = include_bytes!("../tests/fixtures/openclaw.jsonl");

    #[test]
    fn the_agents_own_sum_counts() {
        check("claude", CLAUDE, (205, 49, Some(2_250), Measure::Reported));
        check("codex", CODEX, (403, 40, None, Measure::Reported));
        check("openclaw", OPENCLAW, (200, 40, Some(280), Measure::Reported));
    }

    #[test]
    fn without_an_end_it_is_an_estimate_in_which_no_message_counts_twice() {
        let end = CLAUDE.windows(16).position(|bytes| bytes == br#"{"type":"result""#).expect("a result");
        check("claude", &CLAUDE[..end], (205, 2, None, Measure::Estimated));
        let end = OPENCLAW.windows(15).position(|bytes| bytes == br#""state":"final""#).expect("an end");
        check("openclaw", &OPENCLAW[..end], (200, 40, Some(280), Measure::Estimated));
    }

    #[test]
    fn what_says_nothing_is_unknown() {
        check("claude", b"\"usage\"\n{\"usage\":\n{}", (0, 0, None, Measure::Unknown));
        check("command", CLAUDE, (0, 0, None, Measure::Unknown));
        assert!(
            Meter::knows("claude") && Meter::knows("codex") && Meter::knows("openclaw") && !Meter::knows("command")
        );
    }
}
