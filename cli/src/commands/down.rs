//! `regatta down`: stops the server. Attempts outlive it and are found again at the next start.

use regatta_http::listener;

use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};

/// How long a server may take to finish what is under way.
const STOP_MS_MAX: u64 = 20_000;
/// Pause between two looks at whether it is gone.
const LOOK_EVERY_MS: u64 = 20;

/// Stop the server; attempts go on and are taken up again at the next start
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(context: &Context, _: Args) -> Outcome {
    let client = context.client();
    block_on(async {
        let Some(health) = client.health().await? else {
            context.terminal.note("no server runs");
            return Ok(Exit::Done);
        };
        client.command("/shutdown", &serde_json::json!({})).await?;
        for _ in 0..STOP_MS_MAX / LOOK_EVERY_MS {
            if listener::connect(&context.data_dir).await.is_err() {
                context.terminal.note(format!("stopped server {}", health.pid));
                return Ok(Exit::Done);
            }
            tokio::time::sleep(std::time::Duration::from_millis(LOOK_EVERY_MS)).await;
        }
        Err(Failure::new(Exit::Failed, format!("server {} does not stop", health.pid))
            .hint(format!("end it: kill {}; nothing acknowledged is lost", health.pid)))
    })
}
