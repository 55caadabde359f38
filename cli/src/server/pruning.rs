//! Removes what may go, at a start and every hour, when the configuration wants it. What goes wrong is said and tried
//! again; it never stops the server.

use std::path::Path;
use std::time::Duration;

use regatta_core::DurableLog;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::Failure;
use crate::retention::Retention;

/// Between two looks at what may go.
const EVERY: Duration = Duration::from_secs(3_600);

/// Starts looking, when something is ever to go.
pub(super) fn start(
    data_dir: &Path,
    config: &Config,
    log: &DurableLog,
    stop: CancellationToken,
) -> Result<JoinHandle<()>, Failure> {
    let Some(retention) = Retention::of(config, data_dir)? else {
        return Ok(tokio::spawn(std::future::ready(())));
    };
    Ok(tokio::spawn(look(retention, log.clone(), stop)))
}

async fn look(retention: Retention, log: DurableLog, stop: CancellationToken) {
    loop {
        let (retention, log) = (retention.clone(), log.clone());
        let pruned = tokio::task::spawn_blocking(move || retention.prune(&log).map(drop)).await;
        match pruned {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::warn!(reason = failure.message, "old events cannot be removed; tried again in an hour"),
            Err(error) => tracing::warn!(%error, "old events cannot be removed; tried again in an hour"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
