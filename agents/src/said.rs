//! What an agent said, in words all agents share, and how it is read from bytes.

use serde::{Deserialize, Serialize};

use crate::lines::Lines;

/// One thing an agent said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It named its session.
    Session {
        /// The session's id, as the agent names it.
        id: String,
        /// The model in use.
        model: Option<String>,
    },
    /// Words for people.
    Text(String),
    /// Words for itself.
    Thought(String),
    /// It began to use a tool.
    ToolStarted {
        /// Ties it to its end.
        id: String,
        /// The tool.
        name: String,
        /// What it does with it, in one line: a command, a path; may be empty.
        detail: String,
    },
    /// The tool is done.
    ToolEnded {
        /// Ties it to its start.
        id: String,
        /// When it failed: the end of what it answered, which may be empty.
        failure: Option<String>,
    },
    /// What it used since it was started. A later one replaces an earlier one.
    Usage(Usage),
    /// Something went wrong, which may end nothing.
    Problem(String),
    /// It says that it is done.
    Finished {
        /// Its last words; empty when they were said before.
        text: String,
        /// Whether it says it failed.
        failed: bool,
        /// Tools it was denied.
        denied: u32,
    },
    /// Something this version does not understand, as it came.
    Other(String),
}

/// What an agent used. Its own measure, not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, the cached ones included.
    pub input_tokens: u64,
    /// Of these, tokens read from a cache.
    pub cached_input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Cost in micro-dollars, when the agent tells.
    pub cost_microdollars: Option<u64>,
}

/// A fold over the bytes an agent printed on standard output. The pieces they come in do not matter.
pub trait Reader: Send {
    /// What the next bytes say.
    fn read(&mut self, bytes: &[u8]) -> Vec<Said>;

    /// What is left when no more bytes come: a last line without its end.
    fn end(&mut self) -> Vec<Said>;
}

/// Plain text: each line is words for people.
#[derive(Debug, Default)]
pub(crate) struct PlainText {
    lines: Lines,
}

impl Reader for PlainText {
    fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        self.lines.push(bytes, |line| said.push(text(line)));
        said
    }

    fn end(&mut self) -> Vec<Said> {
        self.lines.end().map(|line| text(&line)).into_iter().collect()
    }
}

fn text(line: &[u8]) -> Said {
    Said::Text(String::from_utf8_lossy(line).into_owned())
}
