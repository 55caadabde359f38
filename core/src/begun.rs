//! What is begun is brought to its end, whoever hangs up meanwhile. Knows nothing of what it is.

use std::panic::resume_unwind;

use tracing::Instrument as _;

/// Runs something to its end in a task of its own, and waits for it. A caller that is dropped before, because its client
/// hung up, takes nothing back: what belongs together, such as an append and what is remembered of it, happens as one.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_ended_though_nobody_waits_for_it_any_more() {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told_to_go, says_done) = (Arc::clone(&go), Arc::clone(&done));
        let asking = tokio::spawn(to_the_end(async move {
            told_to_go.notified().await;
            says_done.notify_one();
        }));
        tokio::task::yield_now().await;
        asking.abort();
        assert!(asking.await.expect_err("it hung up").is_cancelled());
        go.notify_one();
        done.notified().await;
    }
}
