//! The composition root: opens the log, brings views, sandboxes and dispatcher together, serves the API. Nothing is
//! decided here.

mod applied;
mod detach;
mod disk;
mod elsewhere;
mod escalation;
mod fences;
mod folder;
mod parts;
mod premises;
mod relay;
mod retention;
mod serve;
mod trace;
mod web;
pub(crate) mod welcome;
mod witness;

use crate::context::Context;
use crate::failure::Failure;

pub(crate) use detach::{Started, start_detached};
pub(crate) use elsewhere::{Told, ask_docker, ask_vendors};
pub(crate) use fences::probe_fences;
pub(crate) use folder::{BLOBS, make as make_data_dir};
pub(crate) use serve::run;

/// The names of the agents that can be asked, beside any command.
pub(crate) fn agents() -> Vec<&'static str> {
    regatta_agents::ALL.iter().filter(|known| known.program.is_some()).map(|known| known.name).collect()
}

/// Makes sure that a server runs, starting one in the background when none does.
pub(crate) async fn ensure(context: &Context) -> Result<(), Failure> {
    ensured(context).await.map(|_| ())
}

/// As [`ensure`]; the server that was started for it, when none ran.
pub(crate) async fn ensured(context: &Context) -> Result<Option<Started>, Failure> {
    // Of another machine somebody else takes care.
    if context.remote.is_some() || context.client().health().await?.is_some() {
        return Ok(None);
    }
    let started = start_detached(context, &[]).await?;
    Ok(Some(started).filter(|started| !started.was_running))
}
