//! What is known of one command inside: how much it printed, whether it ended, and the newest bytes as they were told while
//! somebody follows. The files inside are the truth; this is what saves asking for them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::layout::Outcome;
use crate::provider::{Error, Stdio};

/// Bytes kept of each channel, the newest.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// A stream that says nothing for so long is taken for broken; the runner speaks every two seconds.
const SILENCE: Duration = Duration::from_secs(6);

/// What is known of a command.
#[derive(Debug, Default)]
pub(super) struct Feed {
    out: Channel,
    err: Channel,
    pub(super) ended: Option<Outcome>,
    /// When the stream spoke last; nothing when nobody follows.
    spoke: Option<Instant>,
    /// Counts what became known.
    pub(super) news: u64,
}

/// One channel.
#[derive(Debug, Default)]
struct Channel {
    /// Bytes known to be there.
    printed: u64,
    /// The bytes from some offset up to `kept_to`.
    kept: VecDeque<u8>,
    kept_to: u64,
}

/// What the runner says of a command when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Never,
    Runs,
    Ended(Outcome),
}

impl Feed {
    fn channel(&mut self, stdio: Stdio) -> &mut Channel {
        match stdio {
            Stdio::Out => &mut self.out,
            Stdio::Err => &mut self.err,
        }
    }

    /// Bytes known to be printed.
    pub(super) fn printed(&self, stdio: Stdio) -> u64 {
        match stdio {
            Stdio::Out => self.out.printed,
            Stdio::Err => self.err.printed,
        }
    }

    /// The bytes from `offset` on when they are at hand.
    pub(super) fn at_hand(&self, stdio: Stdio, offset: u64, bytes_max: usize) -> Option<Vec<u8>> {
        let channel = match stdio {
            Stdio::Out => &self.out,
            Stdio::Err => &self.err,
        };
        let begin = channel.kept_to - channel.kept.len() as u64;
        if offset < begin || offset >= channel.kept_to {
            return None;
        }
        let skip = usize::try_from(offset - begin).ok()?;
        Some(channel.kept.iter().skip(skip).take(bytes_max).copied().collect())
    }

    /// Whether what is known is what is there, because a stream tells it.
    pub(super) fn is_live(&self) -> bool {
        self.spoke.is_some_and(|spoke| spoke.elapsed() < SILENCE)
    }

    pub(super) fn speaks(&mut self) {
        self.spoke = Some(Instant::now());
    }

    pub(super) fn falls_silent(&mut self) {
        self.spoke = None;
        self.news += 1;
    }

    /// Takes what the runner answered.
    pub(super) fn learn(&mut self, out: u64, err: u64, standing: &Standing) {
        for (stdio, printed) in [(Stdio::Out, out), (Stdio::Err, err)] {
            let channel = self.channel(stdio);
            if printed > channel.printed {
                channel.printed = printed;
                self.news += 1;
            }
        }
        if let (Standing::Ended(ended), None) = (standing, &self.ended) {
            self.ended = Some(ended.clone());
            self.news += 1;
        }
    }

    /// Takes a line of the stream. What was known already is skipped, so that a stream may begin again anywhere.
    pub(super) fn hear(&mut self, line: &str) -> Result<(), Error> {
        let strange = || Error::Transient {
            action: "understand the runner in a sandbox".to_owned(),
            source: std::io::Error::other(line.chars().take(60).collect::<String>()),
        };
        let mut words = line.split(' ');
        let (word, first, second) = (words.next().unwrap_or_default(), words.next(), words.next());
        let number = || first.and_then(|word| word.parse::<u64>().ok()).ok_or_else(strange);
        self.speaks();
        match word {
            "k" => {}
            "o" | "e" => {
                let stdio = if word == "o" { Stdio::Out } else { Stdio::Err };
                let bytes = second.and_then(unhex).ok_or_else(strange)?;
                self.channel(stdio).add(number()?, &bytes);
                self.news += 1;
            }
            "O" | "E" => {
                let stdio = if word == "O" { Stdio::Out } else { Stdio::Err };
                let channel = self.channel(stdio);
                channel.printed = channel.printed.max(number()?);
                self.news += 1;
            }
            "x" => {
                let ended = line.get(2..).and_then(|text| serde_json::from_str(text).ok()).ok_or_else(strange)?;
                self.ended = Some(ended);
                self.news += 1;
            }
            _ => return Err(strange()),
        }
        Ok(())
    }
}

impl Channel {
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        if end <= self.kept_to {
            return;
        }
        // A gap was told by size only: what is before it must be read from the file.
        if offset > self.kept_to {
            self.kept.clear();
        }
        let known = usize::try_from(self.kept_to.saturating_sub(offset)).unwrap_or(usize::MAX);
        let fresh = if self.kept.is_empty() { bytes } else { bytes.get(known..).unwrap_or_default() };
        self.kept.extend(fresh);
        self.kept_to = end;
        self.printed = self.printed.max(end);
        let surplus = self.kept.len().saturating_sub(KEPT_BYTES_MAX);
        self.kept.drain(..surplus);
    }
}

/// Reads what the runner answers to `status`.
pub(super) fn standing(answer: &[u8]) -> Option<(u64, u64, Standing)> {
    let text = std::str::from_utf8(answer).ok()?.trim_end();
    let (out, rest) = text.split_once(' ')?;
    let (err, state) = rest.split_once(' ')?;
    let standing = match state {
        "n" => Standing::Never,
        "r" => Standing::Runs,
        json => Standing::Ended(serde_json::from_str(json).ok()?),
    };
    Some((out.parse().ok()?, err.parse().ok()?, standing))
}

/// Bytes from hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Exit;

    /// Lines that were heard, and what is at hand then from an offset on.
    fn hears(lines: &[&str], from: u64, at_hand: Option<&[u8]>, printed: u64) {
        let mut feed = Feed::default();
        for line in lines {
            feed.hear(line).expect("a line");
        }
        assert_eq!(feed.at_hand(Stdio::Out, from, 100).as_deref(), at_hand, "{lines:?}");
        assert_eq!(feed.printed(Stdio::Out), printed, "{lines:?}");
    }

    #[test]
    fn bytes_are_told_by_their_offset() {
        hears(&["o 0 6162", "o 2 63"], 0, Some(b"abc"), 3);
        hears(&["o 0 6162", "o 2 63"], 1, Some(b"bc"), 3);
        hears(&["o 0 6162"], 2, None, 2);
        hears(&["o 5 6162"], 5, Some(b"ab"), 7);
        hears(&["o 5 6162"], 4, None, 7);
    }

    #[test]
    fn what_is_told_again_is_skipped() {
        hears(&["o 0 6162", "o 0 6162"], 0, Some(b"ab"), 2);
        hears(&["o 0 6162", "o 0 616263"], 0, Some(b"abc"), 3);
        hears(&["o 0 616263", "o 1 62"], 0, Some(b"abc"), 3);
    }

    #[test]
    fn a_gap_leaves_the_file_to_be_read() {
        hears(&["o 0 6162", "O 1000"], 0, Some(b"ab"), 1000);
        hears(&["o 0 6162", "O 1000"], 2, None, 1000);
        hears(&["o 0 6162", "O 1000", "o 1000 63"], 0, None, 1001);
        hears(&["o 0 6162", "O 1000", "o 1000 63"], 1000, Some(b"c"), 1001);
    }

    #[test]
    fn the_end_is_told_last() {
        let mut feed = Feed::default();
        feed.hear(r#"x {"exit":{"Code":3},"elapsed_ms":12,"epoch":4}"#).expect("an end");
        assert_eq!(feed.ended, Some(Outcome { exit: Exit::Code(3), elapsed_ms: 12, oom_kills: 0, epoch: Some(4) }));
        assert!(feed.hear("z").is_err() && feed.hear("o 1 zz").is_err() && feed.hear("o x 61").is_err());
    }

    #[test]
    fn an_answer_says_where_a_command_stands() {
        assert_eq!(standing(b"0 0 n\n"), Some((0, 0, Standing::Never)));
        assert_eq!(standing(b"10 2 r\n"), Some((10, 2, Standing::Runs)));
        let ended = Outcome { exit: Exit::TimedOut, elapsed_ms: 5, oom_kills: 0, epoch: None };
        let answer = b"1 2 {\"exit\":\"TimedOut\",\"elapsed_ms\":5}\n";
        assert_eq!(standing(answer), Some((1, 2, Standing::Ended(ended))));
        assert_eq!(standing(b"what"), None);
    }
}
