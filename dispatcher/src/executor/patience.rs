//! Asking a provider through trouble that passes: an engine that is started again, a network that is cut for a while. What a
//! command did by then is worth waiting for.

use std::time::Duration;

use regatta_sandboxes::Error;

use super::chain;

/// The first pause; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// All pauses together, after which the trouble counts as lasting.
const PAUSES_MAX: Duration = Duration::from_secs(5 * 60);

/// What a provider answers once it does. Only what may be asked twice is asked so.
///
/// # Errors
/// What does not pass, or did not within the time.
pub(super) async fn patiently<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut pause, mut paused) = (PAUSE, Duration::ZERO);
    loop {
        match ask().await {
            Err(error) if error.is_transient() && paused < PAUSES_MAX => {
                tracing::warn!(what, error = chain(&error), "a provider failed for a moment, asking it again");
                tokio::time::sleep(pause).await;
                paused += pause;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            answered => return answered,
        }
    }
}
