//! What a setup command made, kept as an image for others that would run the same on the same base: they begin with it. There is
//! one for each repository and setup command, of the newest base; it is of no use for long, since what such a command fetches
//! changes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerInspectResponse};
use bollard::query_parameters::{CommitContainerOptionsBuilder, RemoveImageOptions};

use super::engine::{OWNER, WARM_OF, failed, now_s};
use super::image::short;
use super::kept::{WARM, listed};
use super::{Inner, confused, image};
use crate::inside::wire::{Answer, Call};
use crate::provider::{Error, Warm};

/// How old one may be that others begin with.
const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// What tells one from another.
struct Names {
    /// The repository and the setup command, of one owner.
    of: String,
    /// The image, with the base and what it is made of.
    image: String,
}

fn names(prepared: &str, owner: &str, warm: &Warm) -> Names {
    let hash = |parts: &[&str]| {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        short(hasher.finalize())
    };
    let of = hash(&[owner, &warm.name]);
    let image = format!("{WARM}:{}", hash(&[owner, &warm.name, &warm.base, prepared]));
    Names { of, image }
}

/// The image to begin with, when there is one.
pub(super) async fn find(inner: &Inner, owner: &str, warm: &Warm) -> Option<String> {
    if !is_possible(inner) {
        return None;
    }
    let docker = inner.docker().await.ok()?;
    let names = names(image::prepared(inner, owner).await.ok()?, owner, warm);
    // Without it everything is done as if there were none.
    is_there(docker, &names).await.ok()?.then_some(names.image)
}

/// A root that can only be read leaves the work in a volume, which no image has.
fn is_possible(inner: &Inner) -> bool {
    inner.options.warm && !inner.options.read_only
}

async fn is_there(docker: &Docker, names: &Names) -> Result<bool, Error> {
    let since_s = now_s(docker).await?.saturating_sub_unsigned(AGE_MAX.as_secs());
    let images = listed(docker, vec![format!("{WARM_OF}={}", names.of)]).await?;
    Ok(images.iter().any(|image| image.created >= since_s && image.repo_tags.contains(&names.image)))
}

/// Whether a container began with what an earlier one's setup made.
pub(super) fn is_warm(found: &ContainerInspectResponse) -> bool {
    let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
    labels.is_some_and(|labels| labels.contains_key(WARM_OF))
}

/// Keeps what setup made in a sandbox, unless there is such a thing already, or some of it is in memory, which no image has.
pub(super) async fn keep(inner: &Inner, key: &str, warm: &Warm) -> Result<(), Error> {
    if !is_possible(inner) {
        return Ok(());
    }
    let (docker, container) = (inner.docker().await?, inner.container(key)?);
    let found = inner.look(&container).await?.ok_or_else(|| Error::Missing(format!("sandbox {key}")))?;
    let labels = found.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
    let owner = labels.get(OWNER).cloned().unwrap_or_default();
    let names = names(image::prepared(inner, &owner).await?, &owner, warm);
    let making = inner.making(&names.image);
    let _alone = making.lock().await;
    if is_warm(&found) || is_there(docker, &names).await? || !leaves_nothing_in_memory(inner, key).await? {
        return Ok(());
    }
    let tag = names.image.split(':').next_back().unwrap_or_default();
    let options = CommitContainerOptionsBuilder::new().container(&container).repo(WARM).tag(tag).pause(true).build();
    let labels = HashMap::from([(WARM_OF.to_owned(), names.of.clone())]);
    let config = ContainerConfig { labels: Some(labels), ..ContainerConfig::default() };
    docker.commit_container(options, config).await.map_err(failed("keep what setup made"))?;
    // Of an older base it is of use to nobody. One in use stays until it is swept, and copies of sandboxes have the label, too.
    for image in listed(docker, vec![format!("{WARM_OF}={}", names.of)]).await? {
        let is_other = |tag: &String| tag.starts_with(WARM) && *tag != names.image || tag.starts_with("<none>");
        if image.repo_tags.iter().all(is_other) {
            docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await.ok();
        }
    }
    Ok(())
}

async fn leaves_nothing_in_memory(inner: &Inner, key: &str) -> Result<bool, Error> {
    match inner.ask(key, &Call::NothingInMemory, &[]).await? {
        (Answer::Flag(nothing), _) => Ok(nothing),
        _ => Err(confused()),
    }
}
