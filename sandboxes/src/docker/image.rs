//! The image containers are made of: the one that was asked for, with our program and its libraries in it. Made once per
//! image and program on each engine, so that making a sandbox brings only what is its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;

use super::engine::{KEY, MAKER, PREPARING, PROGRAM, failed, said, status};
use super::kept::PREPARED;
use super::pack::{Part, archive};
use super::{Inner, build, destroy, kept};
use crate::inside::{RUN, USER};
use crate::provider::Error;
use crate::remote::wire::random;

/// Changes when what is brought in changes its shape.
const SHAPE: &[u8] = b"1";
/// Digits of a hash in a name.
const DIGITS: usize = 16;
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

/// The image to make containers of for that owner; prepared when it is not there yet.
pub(super) async fn prepared<'a>(inner: &'a Inner, owner: &str) -> Result<&'a String, Error> {
    inner.image.get_or_try_init(|| prepare(inner, owner)).await
}

/// The image that was asked for, by its id; one of a Dockerfile is built when it is not there.
async fn base(inner: &Inner, docker: &Docker) -> Result<String, Error> {
    match &inner.options.dockerfile {
        Some(path) => build::built(inner, docker, path).await,
        None => named(inner, docker).await,
    }
}

/// Whether there is what containers are to be made of, as far as that is seen without making anything.
pub(super) async fn check(inner: &Inner, docker: &Docker) -> Result<(), Error> {
    match &inner.options.dockerfile {
        Some(path) => build::recipe(path).map(drop),
        None => named(inner, docker).await.map(drop),
    }
}

async fn named(inner: &Inner, docker: &Docker) -> Result<String, Error> {
    let base = &inner.options.image;
    let found = docker.inspect_image(base).await.map_err(|error| missing(base, &error))?;
    found.id.ok_or_else(|| missing_text(base))
}

/// Makes sure that the image is there. Two who do it at once both make it, and the same one; nobody waits for anybody, who
/// may be gone.
pub(super) async fn prepare(inner: &Inner, owner: &str) -> Result<String, Error> {
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
    let name = format!("{PREPARED}:{tag}");
    if docker.inspect_image(&name).await.is_err() {
        make(inner, owner, docker, (&base_id, &tag), &program).await?;
        // What is left takes room and nothing else.
        kept::sweep(docker).await.ok();
    }
    Ok(name)
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

pub(super) fn short(hash: blake3::Hash) -> String {
    hash.to_hex().chars().take(DIGITS).collect()
}

/// Whose half-made images those are of which this instance knows.
fn whose(inner: &Inner, owner: &str) -> String {
    format!("{}{owner}", inner.options.scope)
}

/// Makes the image in a container that is removed then; when we end before, whoever lists the owner's sandboxes next
/// removes it.
async fn make(
    inner: &Inner,
    owner: &str,
    docker: &Docker,
    (base, tag): (&str, &str),
    program: &Program,
) -> Result<(), Error> {
    let container = format!("regatta-preparing-{tag}-{:016x}", random());
    let labels = [(PROGRAM, program.hash.clone()), (PREPARING, whose(inner, owner)), (MAKER, inner.maker.clone())];
    let body = ContainerCreateBody {
        image: Some(base.to_owned()),
        entrypoint: Some(vec![RUN.to_owned()]),
        labels: Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&container).build();
    docker.create_container(Some(options), body).await.map_err(failed("prepare an image"))?;
    let filled = fill(docker, &container, program, tag).await;
    destroy::remove(inner, &container).await?;
    filled
}

/// Removes what an earlier process of the same owner left half made: there is one at a time.
pub(super) async fn remove_abandoned(inner: &Inner, owner: &str) -> Result<(), Error> {
    let filters = HashMap::from([("label", vec![format!("{PREPARING}={}", whose(inner, owner))])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = inner.docker().await?.list_containers(Some(options)).await.map_err(failed("list containers"))?;
    for container in found {
        let labels = container.labels.unwrap_or_default();
        // What is made of such an image has its labels, and is a sandbox.
        if !labels.contains_key(KEY) && labels.get(MAKER) != Some(&inner.maker) {
            destroy::remove(inner, &container.id.unwrap_or_default()).await?;
        }
    }
    Ok(())
}

async fn fill(docker: &Docker, container: &str, program: &Program, tag: &str) -> Result<(), Error> {
    let mut parts = program.parts();
    parts.extend(accounts(docker, container).await);
    put(docker, container, parts).await?;
    let options =
        CommitContainerOptionsBuilder::new().container(container).repo(PREPARED).tag(tag).pause(false).build();
    docker
        .commit_container(options, ContainerConfig::default())
        .await
        .map(drop)
        .map_err(failed("keep a prepared image"))
}

/// Puts parts into a container that was made, running or not.
pub(super) async fn put(docker: &Docker, container: &str, parts: Vec<Part>) -> Result<(), Error> {
    let (body, writing) = archive(parts, u64::MAX);
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
