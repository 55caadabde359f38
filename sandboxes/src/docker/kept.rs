//! Images of ours that an engine keeps: prepared ones, built ones, those with what setup made, and those copies were made
//! of. They take room and are of use
//! for a while, so there are never many, and none for long; one in use stays.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};

use super::Inner;
use super::engine::{BUILT_OF, OWNER, PROGRAM, SCOPE, failed, now_s};
use crate::provider::{Error, Images};

/// The name of every prepared image; what it is made of is its tag.
pub(super) const PREPARED: &str = "regatta/prepared";
/// The name of every image built from a Dockerfile; the hash of that one is its tag.
pub(super) const BUILT: &str = "regatta/built";
/// The name of every image with what a setup command made; what that is is its tag.
pub(super) const WARM: &str = "regatta/warm";
/// The name of every image a sandbox was forked by; which sandbox is its tag.
pub(super) const FORKS: &str = "regatta/fork";
/// Images kept of each kind, the newest.
pub const KEPT_MAX: usize = 8;
/// How long one is kept that nothing is made of, from when it was made.
pub const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 3_600);

/// How long one may be without a name: it is about to get one.
const NAMELESS_MAX: Duration = Duration::from_secs(60);

/// An image of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    id: String,
    /// One without a name lost it to one made at the same time.
    name: Option<String>,
    created_s: i64,
    /// What it alone takes.
    bytes: u64,
}

impl Seen {
    fn kind(&self) -> Option<&str> {
        self.name.as_deref().and_then(|name| name.split(':').next())
    }
}

/// Those nobody will ask for again. Copies go with their sandboxes, so of them only what is old goes here.
fn surplus(images: &[Seen], now_s: i64) -> Vec<&Seen> {
    let [old_s, nameless_s] = [AGE_MAX, NAMELESS_MAX].map(|age| now_s.saturating_sub_unsigned(age.as_secs()));
    let mut newest: Vec<&Seen> = images.iter().collect();
    newest.sort_by_key(|image| std::cmp::Reverse(image.created_s));
    let mut kept: HashMap<&str, usize> = HashMap::new();
    newest.retain(|image| {
        let Some(kind) = image.kind() else { return image.created_s < nameless_s };
        let count = kept.entry(kind).or_default();
        *count += 1;
        (*count > KEPT_MAX && kind != FORKS) || image.created_s < old_s
    });
    newest
}

/// The images with those labels.
pub(super) async fn listed(docker: &Docker, labels: Vec<String>) -> Result<Vec<ImageSummary>, Error> {
    told(docker, labels, ListImagesOptionsBuilder::new()).await
}

async fn told(
    docker: &Docker,
    labels: Vec<String>,
    options: ListImagesOptionsBuilder,
) -> Result<Vec<ImageSummary>, Error> {
    let options = options.filters(&HashMap::from([("label", labels)])).build();
    docker.list_images(Some(options)).await.map_err(failed("list images"))
}

/// Every image of ours, whoever made it.
async fn seen(docker: &Docker) -> Result<Vec<Seen>, Error> {
    let mut all = Vec::new();
    let mut ids = HashSet::new();
    for label in [PROGRAM, BUILT_OF] {
        for image in told(docker, vec![label.to_owned()], ListImagesOptionsBuilder::new().shared_size(true)).await? {
            if !ids.insert(image.id.clone()) {
                continue;
            }
            let ours = [PREPARED, BUILT, WARM, FORKS];
            let named = image.repo_tags.iter().find(|tag| !tag.starts_with("<none>")).cloned();
            // One that somebody gave a name of their own is theirs.
            let is_ours = |name: &String| ours.iter().any(|kind| name.split(':').next() == Some(*kind));
            if named.as_ref().is_none_or(is_ours) {
                // Engines that do not tell what is shared say -1.
                let bytes = u64::try_from(image.size.saturating_sub(image.shared_size.max(0))).unwrap_or(0);
                all.push(Seen { id: image.id, name: named, created_s: image.created, bytes });
            }
        }
    }
    Ok(all)
}

/// Removes what is surplus. What is in use stays, and so does what cannot be removed.
pub(super) async fn sweep(docker: &Docker) -> Result<(), Error> {
    let now_s = now_s(docker).await?;
    for image in surplus(&seen(docker).await?, now_s) {
        docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await.ok();
    }
    Ok(())
}

/// Removes the images of copies that were never made, or are gone: their maker ended in between.
pub(super) async fn remove_abandoned(inner: &Inner, owner: &str) -> Result<(), Error> {
    let docker = inner.docker().await?;
    let labels = vec![format!("{SCOPE}={}", inner.options.scope), format!("{OWNER}={owner}")];
    for image in listed(docker, labels).await? {
        for name in &image.repo_tags {
            let Some(container) = name.strip_prefix(FORKS).and_then(|tag| tag.strip_prefix(':')) else { continue };
            let Some(key) = container.strip_prefix(&inner.options.scope) else { continue };
            let making = inner.makings.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
            // Whoever makes it now needs it.
            let _alone = match &making {
                Some(making) => match making.try_lock() {
                    Ok(alone) => Some(alone),
                    Err(_) => continue,
                },
                None => None,
            };
            if inner.look(container).await?.is_none() {
                docker.remove_image(name, None::<RemoveImageOptions>, None).await.ok();
            }
        }
    }
    Ok(())
}

/// The images of ours the engine keeps.
pub(super) async fn all(inner: &Inner) -> Result<Images, Error> {
    Ok(sum(&seen(inner.docker().await?).await?))
}

fn sum<'a>(images: impl IntoIterator<Item = &'a Seen>) -> Images {
    images.into_iter().fold(Images::default(), |sum, image| Images {
        count: sum.count + 1,
        bytes: sum.bytes.saturating_add(image.bytes),
    })
}

/// Those that may go when somebody wants the room, in the order in which they can: what was made of one goes before it. Copies
/// go with their sandboxes, and one without a name may be about to get one.
fn clearable(mut images: Vec<Seen>) -> Vec<Seen> {
    images.retain(|image| image.kind().is_some_and(|kind| kind != FORKS));
    images.sort_by_key(|image| std::cmp::Reverse(image.created_s));
    images
}

/// Removes every image of ours that nothing is made of.
pub(super) async fn clear(inner: &Inner) -> Result<Images, Error> {
    let docker = inner.docker().await?;
    let mut cleared = Vec::new();
    for image in clearable(seen(docker).await?) {
        // The engine refuses to remove one in use.
        if docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await.is_ok() {
            cleared.push(image);
        }
    }
    Ok(sum(&cleared))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 24 * 3_600;
    const NOW_S: i64 = 100 * DAY_S;

    fn image(id: &str, name: &str, age_s: i64) -> Seen {
        Seen {
            id: id.to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            created_s: NOW_S - age_s,
            bytes: 1,
        }
    }

    fn goes(images: &[Seen], expected: &[&str]) {
        let mut gone: Vec<&str> = surplus(images, NOW_S).into_iter().map(|image| image.id.as_str()).collect();
        gone.sort_unstable();
        assert_eq!(gone, expected);
    }

    #[test]
    fn the_newest_of_each_kind_stay() {
        let many =
            |kind: &str| (0..10).map(|age| image(&format!("{kind}{age}"), &format!("{kind}:{age}"), age)).collect();
        let (prepared, built, forks): (Vec<_>, Vec<_>, Vec<_>) = (many(PREPARED), many(BUILT), many(FORKS));
        goes(&prepared, &["regatta/prepared8", "regatta/prepared9"]);
        goes(&[&built[..], &prepared[..7]].concat(), &["regatta/built8", "regatta/built9"]);
        goes(&forks, &[]);
    }

    #[test]
    fn what_is_old_goes_and_what_lost_its_name() {
        let images = [
            image("young", "regatta/prepared:1", 13 * DAY_S),
            image("old", "regatta/prepared:2", 15 * DAY_S),
            image("copy", "regatta/fork:3", 15 * DAY_S),
            image("nameless", "", 61),
            image("not yet named", "", 0),
        ];
        goes(&images, &["copy", "nameless", "old"]);
    }
    #[test]
    fn what_was_made_of_an_image_is_cleared_before_it_and_copies_stay() {
        let images = [
            image("prepared", "regatta/prepared:1", 30),
            image("copy", "regatta/fork:2", 20),
            image("warm", "regatta/warm:3", 10),
            image("not yet named", "", 0),
        ];
        let cleared = clearable(images.into());
        assert_eq!(cleared.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(), ["warm", "prepared"]);
        assert_eq!(sum(&cleared), Images { count: 2, bytes: 2 });
    }
}
