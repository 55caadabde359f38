//! Removing a sandbox: its container with everything in it, until the engine no longer lists any.

use std::sync::PoisonError;
use std::time::Duration;

use bollard::query_parameters::{RemoveContainerOptionsBuilder, RemoveImageOptions};

use super::engine::{DEADLINE, FORKED, KEY, OWNER, failed, now_s, status};
use super::{Inner, create};
use crate::provider::Error;

/// Rounds until nothing is listed; a removal under way by somebody else takes a moment.
const ROUNDS_MAX: u32 = 50;
/// Between two rounds.
const ROUND: Duration = Duration::from_millis(100);

/// How long after its deadline a sandbox of another owner is left alone: copies live a while beside what they are of, and clocks
/// differ.
const EXPIRED_S: i64 = 2 * 24 * 3_600;

pub(super) async fn destroy(inner: &Inner, key: &str) -> Result<(), Error> {
    inner.container(key)?;
    inner.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    inner.makings.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    for round in 0..ROUNDS_MAX {
        let left = inner.ours(&[(KEY, key)]).await?;
        if left.is_empty() {
            return create::remove_networks(inner, key).await;
        }
        if round > 0 {
            tokio::time::sleep(ROUND).await;
        }
        for container in left {
            remove(inner, &container.id.unwrap_or_default()).await?;
            if let Some(image) = container.labels.and_then(|mut labels| labels.remove(FORKED)) {
                // One that others were forked of goes with the last of them.
                inner.docker().await?.remove_image(&image, None::<RemoveImageOptions>, None).await.ok();
            }
        }
    }
    let source = std::io::Error::other("the engine still lists it");
    Err(Error::Transient { action: format!("remove sandbox {key}"), source })
}

/// Removes a container, running or not. One that is gone, or going, is fine.
pub(super) async fn remove(inner: &Inner, container: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match inner.docker().await?.remove_container(container, Some(options)).await {
        Err(error) if !matches!(status(&error), Some(404 | 409)) => Err(failed("remove a container")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the sandboxes of other owners that are past their deadline: whoever made them is gone for good, or would have. The
/// owner's own are judged by what they are needed for.
pub(super) async fn remove_expired(inner: &Inner, owner: &str) -> Result<(), Error> {
    let now_s = now_s(inner.docker().await?).await?;
    for container in inner.ours(&[]).await? {
        let labels = container.labels.unwrap_or_default();
        let deadline = labels.get(DEADLINE).and_then(|deadline| deadline.parse::<i64>().ok());
        let is_over = deadline.is_some_and(|deadline| deadline.saturating_add(EXPIRED_S) < now_s);
        if !is_over || labels.get(OWNER).is_some_and(|found| found == owner) {
            continue;
        }
        let key = labels.get(KEY).map_or("", String::as_str);
        tracing::warn!(sandbox = key, "the sandbox of an installation that is gone is past its deadline, removing it");
        remove(inner, &container.id.unwrap_or_default()).await?;
        if !key.is_empty() {
            create::remove_networks(inner, key).await?;
        }
    }
    Ok(())
}
