//! The composition root: opens the log, brings views, sandboxes and dispatcher together, serves the API. Nothing is
//! decided here.

use crate::config::Config;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// The names of the agents that can be asked.
pub(crate) fn agents() -> Vec<&'static str> {
    vec!["claude", "codex"]
}

/// Each agent's name and the program it is started by.
pub(crate) fn agent_programs() -> Vec<(&'static str, &'static str)> {
    agents().into_iter().map(|agent| (agent, agent)).collect()
}

/// Each fence by name: what it is when it works, or why it does not and what to do.
pub(crate) async fn probe_fences() -> Vec<(&'static str, Result<String, String>, &'static str)> {
    Vec::new()
}

/// A server in the background.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(crate) pid: u32,
    /// Whether it was there before.
    pub(crate) was_running: bool,
}

/// Makes sure that a server runs, starting one in the background when none does.
pub(crate) async fn ensure(context: &Context) -> Result<(), Failure> {
    if context.client().health().await?.is_none() {
        start_detached(context, &[])?;
    }
    Ok(())
}

pub(crate) fn start_detached(_context: &Context, _flags: &[String]) -> Result<Started, Failure> {
    Err(Failure::new(Exit::Failed, "the server cannot be started yet"))
}

/// Runs the server until it is told to stop.
pub(crate) fn run(_context: &Context, _config: &Config, _as_detached: bool) -> Outcome {
    Err(Failure::new(Exit::Failed, "the server cannot be started yet"))
}
