//! The image containers are made of: the one that was asked for, with our program and its libraries in it. Made once per
//! image and program on each engine, so that making a sandbox brings only what is its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, RemoveImageOptions, UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;

use super::engine::{PROGRAM, SCOPE, failed, said, status};
use super::pack::{Part, archive};
use super::{Inner, destroy};
use crate::inside::{RUN, USER};
use crate::provider::Error;

/// The name of every prepared image; what it is made of is its tag.
const REPOSITORY: &str = "regatta/prepared";
/// The scope of containers in which an image is made, and in their names.
const PREPARING: &str = "preparing";
/// Changes when what is brought in changes its shape.
const SHAPE: &[u8] = b"1";
/// Digits of a hash in a name.
const DIGITS: usize = 16;
/// How long somebody else may take to prepare the same image.
const OTHERS_MAX: Duration = Duration::from_secs(120);
/// Between two looks whether they have.
const OTHERS: Duration = Duration::from_millis(200);
/// Images with other programs in them that are kept, the newest; of the rest those go that no container is made of.
const OTHERS_KEPT: usize = 8;
/// A list of accounts larger than this is left alone.
const ACCOUNTS_BYTES_MAX: usize = 1 << 20;

/// A library, by the name it is looked for, and where it is here.
type Library = (String, PathBuf);

/// A program, and the libraries without which it does not start, by the names they are looked for.
struct Program {
    path: PathBuf,
    loader: Option<PathBuf>,
    libraries: Vec<Library>,
    hash: String,
}

/// The image to make containers of; prepared when it is not there yet.
pub(super) async fn prepared(inner: &Inner) -> Result<&String, Error> {
    inner.image.get_or_try_init(|| prepare(inner)).await
}

/// The image that was asked for, by its id.
pub(super) async fn base(inner: &Inner, docker: &Docker) -> Result<String, Error> {
    let base = &inner.options.image;
    let found = docker.inspect_image(base).await.map_err(|error| missing(base, &error))?;
    found.id.ok_or_else(|| missing_text(base))
}

/// Makes sure that the image is there.
pub(super) async fn prepare(inner: &Inner) -> Result<String, Error> {
    let docker = inner.docker().await?;
    let base_id = base(inner, docker).await?;
    let path = inner.options.program.clone();
    let program = tokio::task::spawn_blocking(move || program(&path)).await.map_err(std::io::Error::other);
    let program = program.and_then(|program| program).map_err(|source| Error::Transient {
        action: "read the program for the inside of containers".to_owned(),
        source,
    })?;
    let tag = short(
        blake3::Hasher::new().update(base_id.as_bytes()).update(program.hash.as_bytes()).update(SHAPE).finalize(),
    );
    let name = format!("{REPOSITORY}:{tag}");
    sweep_unfinished(inner, docker).await;
    let asked = tokio::time::Instant::now();
    loop {
        if docker.inspect_image(&name).await.is_ok() {
            return Ok(name);
        }
        if make(inner, docker, &base_id, &program, &tag).await? {
            sweep(docker, &program).await;
            return Ok(name);
        }
        if asked.elapsed() > OTHERS_MAX {
            // Whoever began it is gone.
            destroy::remove(inner, &preparing(&tag)).await?;
        }
        tokio::time::sleep(OTHERS).await;
    }
}

fn missing(image: &str, error: &bollard::errors::Error) -> Error {
    match status(error) {
        Some(404) => missing_text(image),
        Some(_) | None => failed("look for an image")(clone_of(error)),
    }
}

fn clone_of(error: &bollard::errors::Error) -> bollard::errors::Error {
    let status_code = status(error).unwrap_or(500);
    bollard::errors::Error::DockerResponseServerError { status_code, message: said(error) }
}

fn missing_text(image: &str) -> Error {
    let make = if image == super::IMAGE {
        "make it, `cargo xtask image` where Regatta's source is".to_owned()
    } else {
        format!("pull or build it, as `docker pull {image}`")
    };
    let todo = format!("{make}, or set docker.image to one that is there and has sh, git and the agents");
    Error::Unusable { reason: format!("the engine has no image {image}; {todo}") }
}

fn short(hash: blake3::Hash) -> String {
    hash.to_hex().chars().take(DIGITS).collect()
}

/// Where the image is made. The name keeps two from making the same one.
fn preparing(tag: &str) -> String {
    format!("regatta-{PREPARING}-{tag}")
}

/// Makes the image; false when somebody else is at it.
async fn make(inner: &Inner, docker: &Docker, base: &str, program: &Program, tag: &str) -> Result<bool, Error> {
    let container = preparing(tag);
    let labels = [(PROGRAM.to_owned(), program.hash.clone()), (SCOPE.to_owned(), PREPARING.to_owned())];
    let body = ContainerCreateBody {
        image: Some(base.to_owned()),
        entrypoint: Some(vec![RUN.to_owned()]),
        labels: Some(labels.into_iter().collect()),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&container).build();
    match docker.create_container(Some(options), body).await {
        Err(error) if status(&error) == Some(409) => return Ok(false),
        created => created.map_err(failed("prepare an image"))?,
    };
    let filled = fill(docker, &container, program, tag).await;
    destroy::remove(inner, &container).await?;
    filled.map(|()| true)
}

async fn fill(docker: &Docker, container: &str, program: &Program, tag: &str) -> Result<(), Error> {
    let mut parts = program.parts();
    parts.extend(accounts(docker, container).await);
    put(docker, container, parts).await?;
    let options =
        CommitContainerOptionsBuilder::new().container(container).repo(REPOSITORY).tag(tag).pause(false).build();
    docker
        .commit_container(options, ContainerConfig::default())
        .await
        .map(drop)
        .map_err(failed("keep a prepared image"))
}

/// Puts parts into a container that was made, running or not.
pub(super) async fn put(docker: &Docker, container: &str, parts: Vec<Part>) -> Result<(), Error> {
    let (body, writing) = archive(parts);
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    let sent = docker.upload_to_container(container, Some(options), bollard::body_try_stream(body)).await;
    // What went wrong here is why the engine had nothing to read.
    match writing.await.map_err(std::io::Error::other).and_then(|written| written) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
            Err(Error::Unusable { reason: error.to_string() })
        }
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Transient { action: "pack what goes into a container".to_owned(), source })
        }
        Ok(()) | Err(_) => sent.map_err(failed("put files into a container")),
    }
}

/// The image's list of accounts with one for whoever runs commands, when it has none: some tools want a name.
async fn accounts(docker: &Docker, container: &str) -> Option<Part> {
    let options = bollard::query_parameters::DownloadFromContainerOptionsBuilder::new().path("/etc/passwd").build();
    let mut stream = Box::pin(docker.download_from_container(container, Some(options)));
    let mut archive = Vec::new();
    while let Ok(Some(piece)) = stream.try_next().await {
        archive.extend(piece);
        if archive.len() > ACCOUNTS_BYTES_MAX {
            return None;
        }
    }
    let mut archive = tar::Archive::new(&archive[..]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut archive.entries().ok()?.next()?.ok()?, &mut text).ok()?;
    if text.lines().any(|line| line.split(':').nth(2) == Some(&USER.to_string())) {
        return None;
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("regatta:x:{USER}:{USER}::/regatta/sandbox/home:/bin/sh\n"));
    Some(Part::Content { at: "etc/passwd".into(), content: text.into_bytes(), mode: 0o644, user: 0 })
}

/// Removes prepared images nobody will ask for again. One in use stays, and so does one that cannot be removed.
async fn sweep(docker: &Docker, program: &Program) {
    let filters = std::collections::HashMap::from([("label", vec![PROGRAM.to_owned()])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let Ok(mut images) = docker.list_images(Some(options)).await else { return };
    images.retain(|image| image.labels.get(PROGRAM) != Some(&program.hash));
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    for image in images.iter().skip(OTHERS_KEPT) {
        docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await.ok();
    }
}

/// Removes containers in which somebody was making an image and was killed. What cannot be removed now is at the next start.
async fn sweep_unfinished(inner: &Inner, docker: &Docker) {
    let filters = std::collections::HashMap::from([("label", vec![format!("{SCOPE}={PREPARING}")])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let Ok(containers) = docker.list_containers(Some(options)).await else { return };
    if containers.is_empty() {
        return;
    }
    let now = docker.info().await.ok().and_then(|info| info.system_time).unwrap_or_default();
    for container in containers.into_iter().filter(|container| is_left(container.created, &now)) {
        destroy::remove(inner, &container.id.unwrap_or_default()).await.ok();
    }
}

/// Whether nobody can be at work any more in a container that was made then, in seconds since the Unix epoch. Both times
/// are the engine's, whose clock need not be ours; `now` is RFC 3339.
fn is_left(created_s: Option<i64>, now: &str) -> bool {
    let (Some(created_s), Ok(now)) = (created_s, now.parse::<jiff::Timestamp>()) else { return false };
    u64::try_from(now.as_second().saturating_sub(created_s)).is_ok_and(|age_s| age_s > OTHERS_MAX.as_secs())
}

/// The program with what it needs.
fn program(path: &Path) -> std::io::Result<Program> {
    let (loader, libraries) = libraries(path)?;
    let mut hasher = blake3::Hasher::new();
    for file in libraries.iter().map(|(_, file)| file).chain(&loader).chain([&path.to_owned()]) {
        hasher.update_reader(std::fs::File::open(file)?)?;
    }
    Ok(Program { path: path.to_owned(), loader, libraries, hash: short(hasher.finalize()) })
}

/// The loader and the libraries of a program, as its own loader tells them; none of one that is linked statically.
fn libraries(program: &Path) -> std::io::Result<(Option<PathBuf>, Vec<Library>)> {
    let told = std::process::Command::new(program)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .stdin(std::process::Stdio::null())
        .output()?;
    let (mut loader, mut libraries) = (None, Vec::new());
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [name, "=>", path, _] if path.starts_with('/') => libraries.push((name.to_owned(), PathBuf::from(path))),
            [path, address] if path.starts_with('/') && address.starts_with('(') => loader = Some(PathBuf::from(path)),
            _ => {}
        }
    }
    Ok((loader, libraries))
}

impl Program {
    fn parts(&self) -> Vec<Part> {
        let folder = |at: &str| Part::Folder { at: at.into(), mode: 0o755, user: 0 };
        let copy = |at: String, from: &Path| Part::Copy { at: at.into(), from: from.to_owned(), mode: 0o755 };
        let mut parts = vec![folder("regatta"), folder("regatta/bin"), folder("regatta/lib")];
        parts.push(copy("regatta/bin/regatta".to_owned(), &self.path));
        parts.extend(self.loader.iter().map(|loader| copy("regatta/bin/ld.so".to_owned(), loader)));
        parts.extend(self.libraries.iter().map(|(name, path)| copy(format!("regatta/lib/{name}"), path)));
        let start = match self.loader {
            // Whatever libraries the image has, or has not.
            Some(_) => "/regatta/bin/ld.so --library-path /regatta/lib /regatta/bin/regatta",
            None => "/regatta/bin/regatta",
        };
        let content = format!("#!/bin/sh\nexec {start} \"$@\"\n").into_bytes();
        parts.push(Part::Content { at: "regatta/bin/run".into(), content, mode: 0o755, user: 0 });
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_be_at_any_more_is_left_behind() {
        for (created_s, now, is_over) in [
            (Some(1_000), "1970-01-01T00:18:41Z", true),
            (Some(1_000), "1970-01-01T00:18:40.9Z", false),
            (Some(1_000), "1970-01-01T00:00:00Z", false),
            (Some(1_000), "2026-11-30T19:18:41.123456789+01:00", true),
            (Some(1_000), "", false),
            (None, "2026-11-30T18:18:41Z", false),
        ] {
            assert_eq!(is_left(created_s, now), is_over, "{created_s:?} at {now}");
        }
    }
}
