//! How each agent is started, and how what it says is read. Pure: no IO, no clock, no environment.
//!
//! An agent is named by an [`Entry`] of a run. [`find`] gives its recipe, [`Agent::start`] what to run, and
//! [`Agent::reader`] turns the bytes it printed into what it [`Said`]. The bytes are the truth, so reading is a fold: a
//! better reader improves old runs too. Judge an attempt by its changes and checks, never by what its agent says.

mod claude;
mod codex;
mod json;
mod lines;
pub mod openclaw;
mod remarks;
mod said;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regatta_core::event::run::Entry;

pub use lines::LINE_BYTES_MAX;
pub use remarks::{Remark, Remarks, Sort};
pub use said::{Reader, Said, Usage};
pub use usage::{Measure, Meter};

/// Largest prompt that is put into a variable or an argument, in bytes: Linux takes 128 KiB in one
/// (`MAX_ARG_STRLEN`), the name and the end included. Larger ones are only in the file.
pub const PROMPT_ARGUMENT_BYTES_MAX: usize = 120 << 10;
/// Longest name of a model, in bytes.
pub const MODEL_BYTES_MAX: usize = 128;
/// How alike a name must be to be suggested, from 0 to 1.
const NEAR_ENOUGH: f64 = 0.7;

/// An agent there is a recipe for, as `doctor` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name in a run.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The program to look for on the `PATH`; nothing for shell text.
    pub program: Option<&'static str>,
    /// How to get it and give it credentials.
    pub install: &'static str,
}

/// Every agent there is a recipe for.
pub const ALL: &[Known] = &[
    Known { name: "command", about: "any program, as shell text", program: None, install: "nothing to install" },
    claude::KNOWN,
    codex::KNOWN,
    openclaw::KNOWN,
];

/// A recipe for starting an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
    /// Any program: shell text.
    Command(String),
    /// Claude Code, without a screen.
    Claude,
    /// Codex, without a screen.
    Codex,
    /// A session of an OpenClaw gateway, for one turn. The model of its entry is the id of an OpenClaw agent.
    OpenClaw,
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
    /// Program and arguments. Never a secret.
    pub argv: Vec<String>,
    /// Plain variables. Never a secret.
    pub env: BTreeMap<String, String>,
    /// Names of variables to pass on: credentials, by name only.
    pub env_pass: Vec<String>,
}

/// Why an agent cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No agent of that name.
    #[error("there is no agent {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name most like it.
        near: Option<&'static str>,
    },
    /// `command` without a command.
    #[error("the agent \"command\" has no command")]
    NoCommand,
    /// A command for an agent that brings its own.
    #[error("the agent {0:?} takes no command")]
    CommandUnwanted(&'static str),
    /// A prompt that does not fit into an argument.
    #[error("the prompt has {bytes} bytes, {name} takes at most {PROMPT_ARGUMENT_BYTES_MAX}")]
    PromptTooLarge {
        /// The agent.
        name: &'static str,
        /// Size of the prompt.
        bytes: usize,
    },
    /// A name that is no model's.
    #[error("{0:?} cannot be the name of a model")]
    InvalidModel(String),
    /// A name that is no OpenClaw agent's.
    #[error("{0:?} cannot be the id of an OpenClaw agent")]
    InvalidId(String),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let names = || ALL.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
        Some(match self {
            Self::Unknown { near: Some(near), .. } => format!("did you mean {near}? there are: {}", names()),
            Self::Unknown { near: None, .. } => format!("use one of: {}", names()),
            Self::NoCommand => "say what to run: --attempt 'command=./my-agent.sh'".to_owned(),
            Self::CommandUnwanted(_) => "leave the command out, or use the agent \"command\"".to_owned(),
            Self::PromptTooLarge { .. } => {
                "put the long part into a file of the repository and name it in the prompt".to_owned()
            }
            Self::InvalidModel(_) => {
                format!("use at most {MODEL_BYTES_MAX} letters, digits and - _ . : / @ [ ], as claude-opus-4-8")
            }
            Self::InvalidId(_) => {
                "name one of `openclaw agents list`, as openclaw:main; it has a model of its own".to_owned()
            }
        })
    }
}

/// The recipe an entry names.
///
/// # Errors
/// When there is none, or the entry's model or command does not fit it.
pub fn find(entry: &Entry) -> Result<Agent, Error> {
    let agent = match (entry.agent.as_str(), &entry.command) {
        ("command", Some(command)) => Agent::Command(command.clone()),
        ("command", None) => return Err(Error::NoCommand),
        ("claude", None) => Agent::Claude,
        ("codex", None) => Agent::Codex,
        ("openclaw", None) => Agent::OpenClaw,
        ("claude", Some(_)) => return Err(Error::CommandUnwanted("claude")),
        ("codex", Some(_)) => return Err(Error::CommandUnwanted("codex")),
        ("openclaw", Some(_)) => return Err(Error::CommandUnwanted("openclaw")),
        (name, _) => return Err(Error::Unknown { name: name.chars().take(64).collect(), near: near(name) }),
    };
    entry.model.as_deref().map_or(Ok(()), |model| agent.check_model(model))?;
    Ok(agent)
}

fn near(name: &str) -> Option<&'static str> {
    let likeness = |known: &Known| strsim::jaro_winkler(&name.to_lowercase(), known.name);
    let best = ALL.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= NEAR_ENOUGH).then_some(best.name)
}

/// A model's name goes into a shell variable and, for codex, into a line of TOML; these characters mean nothing there.
fn check_model(model: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@[]".contains(&byte);
    let fits = !model.is_empty() && model.len() <= MODEL_BYTES_MAX && !model.starts_with('-');
    if fits && model.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(Error::InvalidModel(model.chars().take(64).collect()))
    }
}

impl Agent {
    /// What to run for a task.
    ///
    /// # Errors
    /// When the task does not fit the agent.
    pub fn start(&self, task: &Task<'_>) -> Result<Start, Error> {
        task.model.map_or(Ok(()), |model| self.check_model(model))?;
        let mut env = BTreeMap::from([("REGATTA_PROMPT_FILE".to_owned(), task.prompt_file.to_owned())]);
        match (self, task.model) {
            (Self::OpenClaw, id) => {
                env.insert(openclaw::AGENT.to_owned(), id.unwrap_or_default().to_owned());
            }
            (Self::Command(_) | Self::Claude | Self::Codex, Some(model)) => {
                env.insert("REGATTA_MODEL".to_owned(), model.to_owned());
            }
            (Self::Command(_) | Self::Claude | Self::Codex, None) => {}
        }
        let (text, own_env, env_pass): (String, &[(&str, &str)], &[&str]) = match self {
            Self::Command(text) => {
                if task.prompt.len() <= PROMPT_ARGUMENT_BYTES_MAX {
                    env.insert("REGATTA_PROMPT".to_owned(), task.prompt.to_owned());
                }
                (text.clone(), &[], &[])
            }
            Self::Claude => {
                (claude::text(&prompt_argument("claude", task)?, task.model), claude::ENV, claude::ENV_PASS)
            }
            Self::Codex => (codex::text(&prompt_argument("codex", task)?, task.model), &[], codex::ENV_PASS),
            // It reads the prompt's file itself, so a prompt of any size will do.
            Self::OpenClaw => (openclaw::text(), &[], openclaw::ENV_PASS),
        };
        env.extend(own_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let argv = ["/bin/sh", "-c", &text].map(str::to_owned).to_vec();
        Ok(Start { argv, env, env_pass: env_pass.iter().map(|name| (*name).to_owned()).collect() })
    }

    /// Files of the user's home the agent needs to see: where they are, and where under the sandbox's home.
    #[must_use]
    pub fn home_links(&self, home: &Path) -> Vec<(PathBuf, PathBuf)> {
        let links: &[&str] = match self {
            Self::Command(_) => &[],
            Self::Claude => claude::HOME_LINKS,
            Self::Codex => codex::HOME_LINKS,
            Self::OpenClaw => openclaw::HOME_LINKS,
        };
        links.iter().map(|link| (home.join(link), PathBuf::from(link))).collect()
    }

    /// Whether it prints values for programs, which people read as [`Remarks`], and not lines of text.
    #[must_use]
    pub fn is_structured(&self) -> bool {
        !matches!(self, Self::Command(_))
    }

    /// What turns its output into what it [`Said`].
    #[must_use]
    pub fn reader(&self) -> Box<dyn Reader> {
        match self {
            Self::Command(_) => Box::new(said::PlainText::default()),
            Self::Claude => Box::new(json::Lines::new(claude::read)),
            Self::Codex => Box::new(json::Lines::new(codex::read)),
            Self::OpenClaw => Box::new(openclaw::Turn::default()),
        }
    }

    fn check_model(&self, model: &str) -> Result<(), Error> {
        match self {
            Self::OpenClaw if !openclaw::is_id(model) => Err(Error::InvalidId(model.chars().take(64).collect())),
            Self::OpenClaw => Ok(()),
            Self::Command(_) | Self::Claude | Self::Codex => check_model(model),
        }
    }
}

/// Shell text for the prompt as one argument, read from its file, so that it is not written down twice. The shell drops
/// line ends at its end. A space keeps one that starts with a dash from being taken for an option.
fn prompt_argument(name: &'static str, task: &Task<'_>) -> Result<String, Error> {
    if task.prompt.len() > PROMPT_ARGUMENT_BYTES_MAX {
        return Err(Error::PromptTooLarge { name, bytes: task.prompt.len() });
    }
    let space = if task.prompt.starts_with('-') { " " } else { "" };
    Ok(format!("\"{space}$(cat \"$REGATTA_PROMPT_FILE\")\""))
}
