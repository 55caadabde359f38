//! `regatta down`: stops the server. Attempts outlive it and are found again at the next start.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};

/// How long a server may take to finish what is under way.
const STOP_SECONDS_MAX: i64 = 20;

/// Stop the server; attempts go on and are taken up again at the next start
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(context: &Context, _: Args) -> Outcome {
    let client = context.client();
    let Some(health) = block_on(client.health())? else {
        context.terminal.done("no server runs", &serde_json::json!({ "stopped": null }))?;
        return Ok(Exit::Done);
    };
    block_on(stop(context, health.pid))?;
    context.terminal.done(format!("stopped server {}", health.pid), &serde_json::json!({ "stopped": health.pid }))?;
    Ok(Exit::Done)
}

/// Tells that server to stop, and waits for its end.
pub(crate) async fn stop(context: &Context, server: u32) -> Result<(), Failure> {
    // Taken before it is told to stop, so that it is this process that is waited for and no later one of its number.
    let process = i32::try_from(server).ok().and_then(Pid::from_raw);
    let process = process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    context.client().command("/shutdown", &serde_json::json!({})).await?;
    if let Some(process) = process {
        let timeout = Timespec { tv_sec: STOP_SECONDS_MAX, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout));
        if ended.map_err(std::io::Error::from)? == 0 {
            return Err(Failure::new(Exit::Failed, format!("server {server} does not stop"))
                .hint(format!("end it: kill {server}; nothing acknowledged is lost")));
        }
    }
    Ok(())
}
