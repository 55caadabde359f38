//! Making a sandbox: a container under its name, started, then filled over the connection into it. Whoever comes second
//! finds the name taken, and that it is filled. And reaching into one that is there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerInspectResponse, ExecConfig, HostConfig, HostConfigLogConfig, Mount,
    MountType, MountVolumeOptions, NetworkCreateRequest,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions,
};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::channel::Channel;
use super::engine::{DEADLINE, EPOCH, FORKED, KEY, OWNER, SCOPE, failed, said, status};
use super::kept::FORKS;
use super::links::BYTES_MAX;
use super::pack::{Part, archive};
use super::{Inner, Network, Options, destroy, fence, image, warm};
use crate::inside::wire::{Answer, Call};
use crate::inside::{MAIN, RUN, SANDBOX, SECRETS, SERVE, USER, WARM, WARMED, WHOSE};
use crate::layout::{ARTIFACTS, EXECS, HOME, INBOX, Kept, SPEC, TMP, WORK, Walls};
use crate::provider::{Created, Error, Spec};
use crate::remote::wire::random;

/// What our own program in a container may need on top of what commands may take.
const OWN_MEMORY_BYTES: u64 = 64 << 20;
/// Bounds what can be put in memory through each of `/tmp` and `/var/tmp`; programs that follow `TMPDIR` write to disk.
const TMP_BYTES_MAX: u64 = 64 << 20;
/// What our own program in a container needs of root's powers; commands have none of it.
const CAPABILITIES: [&str; 5] = ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"];
/// Looks at a name that is taken, and the time between two.
const NAMED_TRIES_MAX: u32 = 100;
const NAMED: Duration = Duration::from_millis(50);
/// Files put into an inbox.
const INBOX_FILES_MAX: usize = 64;
/// Seconds a container may take to end by itself when its engine stops.
const STOP_SECONDS: i64 = 2;

pub(super) async fn create(inner: &Inner, spec: &Spec) -> Result<Created, Error> {
    let making = inner.making(&spec.key);
    let _alone = making.lock().await;
    for _ in 0..NAMED_TRIES_MAX {
        match once(inner, spec).await {
            // Its name is taken, and it cannot be looked at yet; or it is just being removed.
            Err(Error::Missing(what)) if what.starts_with("sandbox") => tokio::time::sleep(NAMED).await,
            made => return made,
        }
    }
    let source = std::io::Error::other("its name is taken by something that is not there");
    Err(Error::Transient { action: format!("make sandbox {}", spec.key), source })
}

async fn once(inner: &Inner, spec: &Spec) -> Result<Created, Error> {
    let name = inner.container(&spec.key)?;
    check(spec)?;
    let is_ours = make(inner, spec, &name).await?;
    let filled = async {
        if is_ours {
            start(inner, &spec.key, &name).await?;
        }
        fill(inner, spec).await
    };
    match filled.await {
        Err(error) if is_ours && !error.is_transient() => {
            destroy::destroy(inner, &spec.key).await?;
            Err(error)
        }
        Err(error) => Err(error),
        Ok(()) => find(inner, &spec.key).await,
    }
}

/// Makes the container; false when there is one of that name.
async fn make(inner: &Inner, spec: &Spec, name: &str) -> Result<bool, Error> {
    let docker = inner.docker().await?;
    let network = match (spec.network, inner.options.network) {
        (false, _) | (true, Network::None) => "none".to_owned(),
        (true, Network::Internal) => network(docker, inner, &spec.owner, &spec.key, name).await?,
        (true, Network::Bridge) => "bridge".to_owned(),
    };
    let made = |image: &str, is_warm: bool| {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        docker.create_container(Some(options), body(inner, spec, &network, (image, is_warm)))
    };
    let warm = match &spec.warm {
        Some(warm) => warm::find(inner, &spec.owner, warm).await,
        None => None,
    };
    let mut created = match &warm {
        Some(warm) => made(warm, true).await,
        None => made(image::prepared(inner, &spec.owner).await?, false).await,
    };
    if created.as_ref().is_err_and(|error| status(error) == Some(404)) {
        // Somebody removed it since.
        created = made(&image::prepare(inner, &spec.owner).await?, false).await;
    }
    match created {
        Err(error) if status(&error) == Some(409) => Ok(false),
        created => created.map(|_| true).map_err(failed("make a container")),
    }
}

/// Brings what the sandbox begins with, unless it is there.
async fn fill(inner: &Inner, spec: &Spec) -> Result<(), Error> {
    let channel = inner.channel(&spec.key).await?;
    if !give(&channel, Bytes::new(), false).await? {
        return Ok(());
    }
    let is_warm = match &spec.warm {
        Some(_) => find(inner, &spec.key).await?.is_warm,
        None => false,
    };
    let (mut pieces, writing) = archive(parts(spec, is_warm)?, spec.bounds.disk_bytes_max);
    while let Some(Ok(piece)) = pieces.next().await {
        give(&channel, piece, false).await?;
    }
    // An archive that is cut short must not be taken for whole: the last piece is given only when it is.
    match writing.await.map_err(std::io::Error::other).and_then(|written| written) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::Unsupported | std::io::ErrorKind::FileTooLarge) => {
            let reason = format!("the seed {} cannot be copied: {error}", spec.seed.display());
            Err(Error::Unusable { reason })
        }
        Err(source) => Err(Error::Transient { action: "pack what goes into a container".to_owned(), source }),
        Ok(()) => give(&channel, Bytes::new(), true).await.map(drop),
    }
}

/// Gives a piece; whether more is wanted.
async fn give(channel: &Channel, piece: Bytes, last: bool) -> Result<bool, Error> {
    let lost = |closed| Error::Transient { action: "fill a sandbox".to_owned(), source: std::io::Error::other(closed) };
    match channel.ask(&Call::Fill { last }, &piece).await.map_err(lost)? {
        (Answer::Flag(wanted), _) => Ok(wanted),
        (Answer::Failed(failure), _) => Err(failure.into()),
        _ => Err(super::confused()),
    }
}

/// Starts a new container with our connection to its main process, which saves making one afterwards.
async fn start(inner: &Inner, key: &str, name: &str) -> Result<(), Error> {
    let docker = inner.docker().await?;
    let door = inner.door(key);
    let mut door = door.lock().await;
    let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).stderr(true).build();
    let attached = docker.attach_container(name, Some(options)).await.map_err(failed("attach to a container"))?;
    run(inner, docker, name).await?;
    *door = Some(Arc::new(Channel::new(attached.output, attached.input)));
    Ok(())
}

/// Starts a container that does not run.
async fn run(inner: &Inner, docker: &Docker, name: &str) -> Result<(), Error> {
    // Never closed.
    let _turn = inner.starts.acquire().await;
    match docker.start_container(name, None::<StartContainerOptions>).await {
        Err(error) if said(&error).contains("no such file or directory") => {
            let reason = format!("the image {} has no /bin/sh: use one that has", inner.options.image);
            Err(Error::Unusable { reason })
        }
        started => started.map_err(failed("start a container")),
    }
}

/// A connection into a container that is there. One that was stopped is started: its files are as they were.
pub(super) async fn connect(inner: &Inner, key: &str) -> Result<Channel, Error> {
    let name = inner.container(key)?;
    let docker = inner.docker().await?;
    let found = inner.look(&name).await?.ok_or_else(|| Error::Missing(format!("sandbox {key}")))?;
    let state = found.state.unwrap_or_default();
    if state.running != Some(true) {
        run(inner, docker, &name).await?;
    }
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec![RUN.to_owned(), SERVE.to_owned()]),
        ..ExecConfig::default()
    };
    let action =
        if state.paused == Some(true) { "reach into a paused sandbox (resume it)" } else { "reach into a container" };
    let exec = docker.create_exec(&name, config).await.map_err(failed(action))?;
    match docker.start_exec(&exec.id, None::<StartExecOptions>).await.map_err(failed(action))? {
        StartExecResults::Attached { output, input } => Ok(Channel::new(output, input)),
        StartExecResults::Detached => Err(super::confused()),
    }
}

/// The sandbox of that key, as it was made.
pub(super) async fn find(inner: &Inner, key: &str) -> Result<Created, Error> {
    let found = inner.look(&inner.container(key)?).await?;
    created(&found.ok_or_else(|| Error::Missing(format!("sandbox {key}")))?)
}

fn created(found: &ContainerInspectResponse) -> Result<Created, Error> {
    let inside = |name| inside(name).to_string_lossy().into_owned();
    let fence = found.host_config.as_ref().map_or_else(|| "docker".to_owned(), fence::of);
    Ok(Created { fence, workspace: inside(WORK), inbox: inside(INBOX), is_warm: warm::is_warm(found) })
}

fn inside(name: &str) -> PathBuf {
    Path::new(crate::inside::ROOT).join(SANDBOX).join(name)
}

fn check(spec: &Spec) -> Result<(), Error> {
    if !spec.seed.is_dir() {
        return Err(Error::Missing(format!("the folder {}", spec.seed.display())));
    }
    if spec.inbox.len() > INBOX_FILES_MAX {
        return Err(Error::Unusable { reason: format!("an inbox takes at most {INBOX_FILES_MAX} files") });
    }
    match spec
        .inbox
        .iter()
        .find(|file| matches!(file.name.as_str(), "" | "." | "..") || file.name.contains(['/', '\0']))
    {
        Some(file) => Err(Error::Unusable { reason: format!("`{}` is no plain file name", file.name) }),
        None => Ok(()),
    }
}

fn body(inner: &Inner, spec: &Spec, network: &str, (image, is_warm): (&str, bool)) -> ContainerCreateBody {
    let options = &inner.options;
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let memory = bytes(spec.bounds.memory_bytes_max.saturating_add(OWN_MEMORY_BYTES));
    let tmp = format!("rw,exec,nosuid,nodev,size={TMP_BYTES_MAX},mode=1777");
    let secrets = format!("rw,noexec,nosuid,nodev,size={},mode=0711", BYTES_MAX * 2);
    let tmpfs = [("/tmp", &tmp), ("/var/tmp", &tmp), (SECRETS, &secrets)];
    let host = HostConfig {
        memory: Some(memory),
        // As much again would be swap.
        memory_swap: Some(memory),
        nano_cpus: options.cpus_milli.map(|milli| i64::from(milli) * 1_000_000),
        pids_limit: Some(options.pids_max.into()),
        init: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        tmpfs: Some(tmpfs.map(|(path, options)| (path.to_owned(), options.clone())).into_iter().collect()),
        readonly_rootfs: Some(options.read_only),
        mounts: options.read_only.then(|| volumes(options, spec)),
        network_mode: Some(network.to_owned()),
        auto_remove: Some(false),
        // What goes through our connection is nobody's log.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        runtime: options.runtime.clone(),
        ..HostConfig::default()
    };
    let (epoch, until_ms) = (spec.term.epoch.to_string(), spec.term.until_ms);
    let deadline = until_ms.map(|until_ms| (DEADLINE, (until_ms / 1_000).to_string()));
    let labels = [(OWNER, &spec.owner), (SCOPE, &options.scope), (KEY, &spec.key), (EPOCH, &epoch)];
    let labels = labels.map(|(name, value)| (name, value.clone())).into_iter().chain(deadline);
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).collect()),
        host_config: Some(host),
        ..every(&spec.key, is_warm)
    }
}

/// What can be written where nothing else can: the sandbox's folder, and places that are filled and then only read. Without
/// a name they are the container's own, and go with it.
fn volumes(options: &Options, spec: &Spec) -> Vec<Mount> {
    let labels = [(OWNER, &spec.owner), (SCOPE, &options.scope), (KEY, &spec.key)];
    let labels: HashMap<String, String> = labels.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let read = spec.read_only.iter().filter(|path| path.is_dir()).map(PathBuf::as_path);
    let volume = |target: &Path| Mount {
        target: Some(target.to_string_lossy().into_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { labels: Some(labels.clone()), ..MountVolumeOptions::default() }),
        ..Mount::default()
    };
    [inside("").as_path()].into_iter().chain(read).map(volume).collect()
}

/// Makes a sandbox of the files another one has now.
pub(super) async fn fork(inner: &Inner, key: &str, into: &str) -> Result<Created, Error> {
    let (from, name) = (inner.container(key)?, inner.container(into)?);
    let making = inner.making(into);
    let _alone = making.lock().await;
    if let Some(found) = inner.look(&name).await? {
        return created(&found);
    }
    let docker = inner.docker().await?;
    let found = inner.look(&from).await?.ok_or_else(|| Error::Missing(format!("sandbox {key}")))?;
    // Its memory is not kept; nothing changes while its files are.
    let options = CommitContainerOptionsBuilder::new().container(&from).repo(FORKS).tag(&name).pause(true).build();
    let image =
        docker.commit_container(options, ContainerConfig::default()).await.map_err(failed("keep a sandbox's files"))?;
    let mut labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    labels.insert(KEY.to_owned(), into.to_owned());
    labels.insert(FORKED.to_owned(), image.id.clone());
    let mut host = found.host_config.unwrap_or_default();
    if host.network_mode.as_deref().is_some_and(fence::is_own_network) {
        let owner = labels.get(OWNER).cloned().unwrap_or_default();
        host.network_mode = Some(network(docker, inner, &owner, into, &name).await?);
    }
    let body = ContainerCreateBody {
        image: Some(image.id),
        labels: Some(labels),
        host_config: Some(host),
        ..every(into, false)
    };
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    match docker.create_container(Some(options), body).await {
        Err(error) if status(&error) != Some(409) => return Err(failed("make a container")(error)),
        Ok(_) | Err(_) => {}
    }
    start(inner, into, &name).await?;
    find(inner, into).await
}

/// What is the same of every container.
fn every(key: &str, is_warm: bool) -> ContainerCreateBody {
    ContainerCreateBody {
        hostname: Some(SANDBOX.to_owned()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        entrypoint: Some([RUN, SERVE, MAIN].map(str::to_owned).to_vec()),
        cmd: Some(Vec::new()),
        // Both in any case: what an image was made of may have had them.
        env: Some(vec![format!("{WHOSE}={key}"), format!("{WARMED}={}", if is_warm { WARM } else { "" })]),
        open_stdin: Some(true),
        stdin_once: Some(false),
        stop_signal: Some("SIGTERM".to_owned()),
        stop_timeout: Some(STOP_SECONDS),
        ..ContainerCreateBody::default()
    }
}

/// What a sandbox begins with: its folder, and what must be readable under the path it has here. The workspace of one that is warm
/// is there.
fn parts(spec: &Spec, is_warm: bool) -> Result<Vec<Part>, Error> {
    let kept = Kept {
        owner: spec.owner.clone(),
        walls: Walls::Container { user: USER },
        fence: "docker".to_owned(),
        network: spec.network,
        bounds: spec.bounds,
        read_only: Vec::new(),
        home_links: Vec::new(),
        term: spec.term,
    };
    let source = |error| Error::Transient { action: "write down what a sandbox is".to_owned(), source: error };
    let content = serde_json::to_vec(&kept).map_err(|error| source(error.into()))?;
    let at = |path: PathBuf| path.strip_prefix("/").map(Path::to_path_buf).unwrap_or(path);
    let folder = |name, mode, user| Part::Folder { at: at(inside(name)), mode, user };
    let mut parts = vec![folder("", 0o711, 0), folder(EXECS, 0o711, 0), folder(INBOX, 0o755, 0)];
    if !is_warm {
        parts.extend([HOME, TMP, ARTIFACTS].map(|name| folder(name, 0o700, USER)));
    }
    parts.push(Part::Content { at: at(inside(SPEC)), content, mode: 0o600, user: 0 });
    for file in &spec.inbox {
        let at = at(inside(INBOX)).join(&file.name);
        parts.push(Part::Content { at, content: file.content.clone(), mode: 0o444, user: 0 });
    }
    for path in spec.read_only.iter().filter(|path| path.is_dir()) {
        parts.push(Part::Moving { at: at(path.clone()), from: path.clone() });
    }
    if !is_warm {
        parts.push(Part::Tree { at: at(inside(WORK)), from: spec.seed.clone(), user: USER });
    }
    Ok(parts)
}

/// The network of one sandbox, from which there is no way out; made unless it is there. An engine makes two when it is asked
/// twice, of one name even, and then connects nothing to either: so each has a name of its own, and is found by its label.
async fn network(docker: &Docker, inner: &Inner, owner: &str, key: &str, name: &str) -> Result<String, Error> {
    if let Some((id, _)) = inner.networks(&[(KEY, key)]).await?.into_iter().next() {
        return Ok(id);
    }
    let labels = [(OWNER, owner), (SCOPE, inner.options.scope.as_str()), (KEY, key)];
    let labels: HashMap<String, String> =
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let request = NetworkCreateRequest {
        name: format!("{name}.{:016x}", random()),
        internal: Some(true),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    };
    Ok(docker.create_network(request).await.map_err(failed("make a network"))?.id)
}

/// Removes the networks of a sandbox, where it had any.
pub(super) async fn remove_networks(inner: &Inner, key: &str) -> Result<(), Error> {
    for (id, _) in inner.networks(&[(KEY, key)]).await? {
        match inner.docker().await?.remove_network(&id).await {
            Err(error) if status(&error) != Some(404) => return Err(failed("remove a network")(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
