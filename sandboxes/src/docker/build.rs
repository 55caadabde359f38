//! An image built from a Dockerfile, once for each content of it on each engine. Only the file itself goes to the engine, with
//! nothing around it: what an image is made of is what was written down, and its hash is the image's name.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::Inner;
use super::engine::{BUILT_OF, said};
use super::image::short;
use super::kept::BUILT;
use crate::provider::Error;

/// Bytes of a Dockerfile.
const BYTES_MAX: u64 = 1 << 20;
/// How long a build may take.
const BUILD_MAX: Duration = Duration::from_secs(30 * 60);
/// Characters of what a build that failed said last.
const SAID_CHARS_MAX: usize = 600;

/// A Dockerfile that can be read.
pub(super) struct Recipe {
    content: Vec<u8>,
    hash: String,
}

/// Reads the Dockerfile.
pub(super) fn recipe(path: &Path) -> Result<Recipe, Error> {
    let shown = path.display();
    let unusable = |why: String| Error::Unusable {
        reason: format!("the Dockerfile {shown} cannot be read: {why}; correct docker.dockerfile, or leave it out"),
    };
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unusable(error.to_string()))?;
    file.take(BYTES_MAX + 1).read_to_end(&mut content).map_err(|error| unusable(error.to_string()))?;
    if content.len() as u64 > BYTES_MAX {
        return Err(unusable(format!("it has more than {BYTES_MAX} bytes")));
    }
    let hash = short(blake3::hash(&content));
    Ok(Recipe { content, hash })
}

/// The image of the Dockerfile at that path, by its id; built when it is not there yet.
pub(super) async fn built(inner: &Inner, docker: &Docker, path: &Path) -> Result<String, Error> {
    let recipe = recipe(path)?;
    let name = format!("{BUILT}:{}", recipe.hash);
    if let Some(id) = docker.inspect_image(&name).await.ok().and_then(|found| found.id) {
        return Ok(id);
    }
    // Of several who build the same one at once each makes it, most of it from the engine's cache.
    let built = tokio::time::timeout(BUILD_MAX, build(inner, docker, &recipe, &name)).await;
    let failed = |why: &str| {
        let todo = "only the file itself is sent, so COPY and ADD find nothing of yours; correct it";
        Error::Unusable { reason: format!("the Dockerfile {} cannot be built: {why}; {todo}", path.display()) }
    };
    match built {
        Err(_) => return Err(failed(&format!("it is not done after {} minutes", BUILD_MAX.as_secs() / 60))),
        Ok(Err(why)) => return Err(failed(&why)),
        Ok(Ok(())) => {}
    }
    let found = docker.inspect_image(&name).await.map_err(super::engine::failed("look for a built image"))?;
    found.id.ok_or_else(|| failed("the engine names no image"))
}

/// Builds it; what went wrong, for people.
async fn build(inner: &Inner, docker: &Docker, recipe: &Recipe, name: &str) -> Result<(), String> {
    let labels = HashMap::from([(BUILT_OF, recipe.hash.as_str())]);
    let options = BuildImageOptionsBuilder::new().dockerfile("Dockerfile").t(name).rm(true).forcerm(true);
    let context = context(recipe).map_err(|error| error.to_string())?;
    let options = options.labels(&labels).build();
    let mut telling = Box::pin(docker.build_image(options, None, Some(bollard::body_full(context.into()))));
    let mut told = String::new();
    tracing::info!(image = name, scope = inner.options.scope, "an image is built from a Dockerfile");
    while let Some(line) = telling.next().await {
        let wrong = match line {
            Ok(BuildInfo { error_detail: Some(detail), .. }) => detail.message.unwrap_or_default(),
            Ok(BuildInfo { stream, .. }) => {
                told.push_str(&stream.unwrap_or_default());
                told = last(&told);
                continue;
            }
            Err(bollard::errors::Error::DockerStreamError { error }) => error,
            Err(error) => said(&error),
        };
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(format!("{} (after: {told})", wrong.trim()));
    }
    Ok(())
}

/// The end of a text.
fn last(text: &str) -> String {
    let surplus = text.chars().count().saturating_sub(SAID_CHARS_MAX);
    text.chars().skip(surplus).collect()
}

/// The Dockerfile and nothing else, as an archive.
fn context(recipe: &Recipe) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(recipe.content.len() as u64);
    archive.append_data(&mut header, "Dockerfile", &recipe.content[..])?;
    archive.into_inner()
}
