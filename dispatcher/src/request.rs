//! What a person asks for when they start a run, and the checks that need no disk. Knows nothing of git or sandboxes.

use std::collections::BTreeSet;

use regatta_core::event::run::{CHECKS_MAX, Check, Entry, Limits, PROMPT_BYTES_MAX, Strategy, Variable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::artifacts::{self, GLOBS_MAX};
use crate::{Refusal, RefusalKind};

/// Most attempts in one run.
pub const ATTEMPTS_MAX: usize = 100;
/// Longest command (agent, setup, check) in bytes.
pub const COMMAND_BYTES_MAX: usize = 64 << 10;
/// Longest name (agent, model, sandbox, check) in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest reason a person may give, in bytes.
pub const REASON_BYTES_MAX: usize = 2_000;

/// A run, as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The task, as every agent gets it.
    pub prompt: String,
    /// Path of the repository.
    pub repository: String,
    /// Branch, tag or commit to start from; the checked-out commit when absent.
    #[serde(default)]
    pub base: Option<String>,
    /// What to do about changes that are not committed.
    #[serde(default)]
    pub uncommitted: Uncommitted,
    /// Who tries.
    pub attempts: Vec<Entry>,
    /// When it is over and who wins.
    pub strategy: Strategy,
    /// Run in each sandbox before the agent.
    #[serde(default)]
    pub setup: Option<String>,
    /// Run in each sandbox after the agent.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Paths of the workspace whose files are kept besides the change, also when git ignores them: relative, with `*`, `?`,
    /// `[…]`, and `**` for any folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub artifacts: Vec<String>,
    /// What one attempt may use.
    #[serde(default)]
    pub limits: Limits,
    /// Variables its commands get, beside those every command gets.
    #[serde(default)]
    pub environment: Vec<Variable>,
}

/// What to do about changes that are not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncommitted {
    /// Refuse the run and say so.
    #[default]
    Refuse,
    /// Start from the commit alone.
    Ignore,
    /// Start from the commit with the changes on top.
    Include,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, message)
}

impl RunRequest {
    /// Checks every bound that needs no disk.
    ///
    /// # Errors
    /// The first bound that is not kept, with what to do.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.prompt.trim().is_empty() {
            return Err(invalid("the prompt is empty")
                .hint("say what the agents are to do: regatta run 'fix the failing test'"));
        }
        if self.prompt.len() > PROMPT_BYTES_MAX {
            let message = format!("the prompt has {} bytes, at most {PROMPT_BYTES_MAX} are allowed", self.prompt.len());
            return Err(
                invalid(message).hint("put the long part into a file of the repository and name it in the prompt")
            );
        }
        if self.prompt.contains('\0') {
            return Err(invalid("the prompt holds a NUL byte").hint("remove it; no program can take it as an argument"));
        }
        if self.attempts.is_empty() {
            return Err(invalid("a run needs at least one attempt").hint("add one: --attempt claude"));
        }
        if self.attempts.len() > ATTEMPTS_MAX {
            return Err(invalid(format!("{} attempts, at most {ATTEMPTS_MAX} are allowed", self.attempts.len())));
        }
        if self.checks.len() > CHECKS_MAX {
            return Err(invalid(format!("{} checks, at most {CHECKS_MAX} are allowed", self.checks.len())));
        }
        self.check_names()?;
        self.check_artifacts()?;
        crate::variables::check(&self.environment)?;
        self.check_limits()
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        for check in &self.checks {
            bounded("a check's name", &check.name, NAME_BYTES_MAX)?;
            bounded("a check's command", &check.command, COMMAND_BYTES_MAX)?;
            if !names.insert(&check.name) {
                return Err(invalid(format!("two checks are named {:?}", check.name)).hint("give each its own name"));
            }
        }
        if let Some(setup) = &self.setup {
            bounded("the setup command", setup, COMMAND_BYTES_MAX)?;
        }
        for entry in &self.attempts {
            bounded("an agent's name", &entry.agent, NAME_BYTES_MAX)?;
            bounded("a sandbox's name", &entry.sandbox, NAME_BYTES_MAX)?;
            entry.model.as_ref().map_or(Ok(()), |model| bounded("a model's name", model, NAME_BYTES_MAX))?;
            entry
                .command
                .as_ref()
                .map_or(Ok(()), |command| bounded("an agent's command", command, COMMAND_BYTES_MAX))?;
        }
        Ok(())
    }

    fn check_artifacts(&self) -> Result<(), Refusal> {
        if self.artifacts.len() > GLOBS_MAX {
            let message = format!("{} artifact paths, at most {GLOBS_MAX} are allowed", self.artifacts.len());
            return Err(invalid(message).hint("name the folder above, with /**"));
        }
        self.artifacts
            .iter()
            .try_for_each(|glob| artifacts::check_glob(glob).map_err(|(message, hint)| invalid(message).hint(hint)))
    }

    fn check_limits(&self) -> Result<(), Refusal> {
        /// A week: longer than any attempt should be left alone.
        const TIMEOUT_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;
        let limits = &self.limits;
        for (name, value, max) in [
            ("agent_timeout_ms", limits.agent_timeout_ms, TIMEOUT_MS_MAX),
            ("setup_timeout_ms", limits.setup_timeout_ms, TIMEOUT_MS_MAX),
            ("check_timeout_ms", limits.check_timeout_ms, TIMEOUT_MS_MAX),
            ("memory_bytes_max", limits.memory_bytes_max, 1 << 50),
            ("processes_max", u64::from(limits.processes_max), 1 << 22),
            ("disk_bytes_max", limits.disk_bytes_max, 1 << 50),
            ("output_bytes_max", limits.output_bytes_max, 1 << 40),
            ("starts_max", u64::from(limits.starts_max), 10),
        ] {
            if value == 0 || value > max {
                return Err(invalid(format!("limits.{name} is {value}, it must be between 1 and {max}")));
            }
        }
        Ok(())
    }

    /// One line for people: the first line of the prompt that says something, cut to 120 characters.
    #[must_use]
    pub fn title(&self) -> String {
        let line = self.prompt.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().filter(|c| !c.is_control()).take(120).collect()
    }
}

fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(invalid(format!("{what} is empty")));
    }
    if text.len() > bytes_max {
        return Err(invalid(format!("{what} has {} bytes, at most {bytes_max} are allowed", text.len())));
    }
    if text.contains('\0') {
        return Err(invalid(format!("{what} holds a NUL byte")));
    }
    Ok(())
}
