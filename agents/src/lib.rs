//! How each agent is started, and how what it says is read. Pure: no IO, no clock, no environment.
//!
//! An agent is named by an [`Entry`] of a run. [`find`] gives its recipe, [`Agent::start`] what to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regatta_core::event::run::Entry;

/// Largest prompt that is put into a variable or an argument, in bytes: Linux takes 128 KiB in one
/// (`MAX_ARG_STRLEN`), the name and the end included. Larger ones are only in the file.
pub const PROMPT_ARGUMENT_BYTES_MAX: usize = 120 << 10;

/// A recipe for starting an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
    /// Any program: shell text.
    Command(String),
}

/// What an agent is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task<'a> {
    /// The prompt.
    pub prompt: &'a str,
    /// Absolute path of the file that holds the prompt, as seen inside the sandbox.
    pub prompt_file: &'a str,
    /// The model asked for.
    pub model: Option<&'a str>,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Plain variables.
    pub env: BTreeMap<String, String>,
    /// Names of variables to pass on: credentials, by name only.
    pub env_pass: Vec<String>,
}

/// Why an agent cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No agent of that name.
    #[error("there is no agent {0:?}")]
    Unknown(String),
    /// `command` without a command.
    #[error("the agent \"command\" has no command")]
    NoCommand,
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(_) => "use one of: command".to_owned(),
            Self::NoCommand => "say what to run: --attempt 'command=./my-agent.sh'".to_owned(),
        })
    }
}

/// The recipe an entry names.
///
/// # Errors
/// When there is none.
pub fn find(entry: &Entry) -> Result<Agent, Error> {
    match (entry.agent.as_str(), &entry.command) {
        ("command", Some(command)) => Ok(Agent::Command(command.clone())),
        ("command", None) => Err(Error::NoCommand),
        (other, _) => Err(Error::Unknown(other.to_owned())),
    }
}

impl Agent {
    /// What to run for a task.
    ///
    /// # Errors
    /// When the task does not fit the agent.
    pub fn start(&self, task: &Task<'_>) -> Result<Start, Error> {
        let mut env = BTreeMap::from([("REGATTA_PROMPT_FILE".to_owned(), task.prompt_file.to_owned())]);
        if task.prompt.len() <= PROMPT_ARGUMENT_BYTES_MAX {
            env.insert("REGATTA_PROMPT".to_owned(), task.prompt.to_owned());
        }
        if let Some(model) = task.model {
            env.insert("REGATTA_MODEL".to_owned(), model.to_owned());
        }
        match self {
            Self::Command(text) => {
                let argv = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
                Ok(Start { argv, env, env_pass: vec![] })
            }
        }
    }

    /// Files of the user's home the agent needs to see: where they are, and where under the sandbox's home.
    #[must_use]
    pub fn home_links(&self, _home: &Path) -> Vec<(PathBuf, PathBuf)> {
        match self {
            Self::Command(_) => vec![],
        }
    }
}
