//! A real Docker engine: how tests share one, and what is told of containers alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptions, DownloadFromContainerOptionsBuilder,
    InspectContainerOptions, InspectNetworkOptions, KillContainerOptions, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions,
};
use futures_util::TryStreamExt as _;
use regatta_sandboxes::docker::{IMAGE, Network, Options};
use regatta_sandboxes::{
    Bounds, Capability, DockerProvider, Error, Exit, HomeLink, InboxFile, Provider as _, Spec, Status, Stdio, Term,
    Warm,
};

use crate::place::{self, Kind, Place, exec, sh};

/// Tells apart what belongs to which test.
const SCOPE: &str = "dev.regatta.scope";

/// The engine tests use, as `DOCKER_HOST` says.
pub(crate) fn engine() -> Docker {
    Docker::connect_with_defaults().unwrap()
}

/// The beginning of every name a test gives, from the name of its folder.
pub(crate) fn scope(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    // Upper and lower case are told apart in folders and not here.
    let name = name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("test-{}-", name.get(name.len().saturating_sub(12)..).unwrap())
}

pub(crate) fn options(folder: &Path, network: Network) -> Options {
    Options {
        host: std::env::var("DOCKER_HOST").ok(),
        scope: scope(folder),
        image: IMAGE.to_owned(),
        dockerfile: None,
        program: PathBuf::from(env!("CARGO_BIN_EXE_regatta-sandbox-runner")),
        network,
        read_only: false,
        cpus_milli: None,
        memory_bytes_max: None,
        pids_max: 512,
        runtime: std::env::var("REGATTA_TEST_RUNTIME").ok(),
        warm: true,
        starts_max: 2,
    }
}

pub(crate) fn provider(folder: &Path, network: Network) -> DockerProvider {
    DockerProvider::new(options(folder, network))
}

/// Everything with that label: sandboxes by key; containers half made, networks and volumes by what they are.
pub(crate) async fn left(scope: &str) -> Vec<String> {
    let engine = engine();
    let filters = HashMap::from([("label", vec![format!("{SCOPE}={scope}")])]);
    let containers = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let mut left: Vec<String> = Vec::new();
    for container in engine.list_containers(Some(containers)).await.unwrap() {
        let name = container.names.unwrap_or_default().concat();
        let name = name.trim_start_matches('/').trim_start_matches(scope);
        left.push(if name.contains('.') { format!("container {name}") } else { name.to_owned() });
    }
    let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
    for network in engine.list_networks(Some(networks)).await.unwrap() {
        left.push(format!("network {}", network.name.unwrap_or_default()));
    }
    let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
    for volume in engine.list_volumes(Some(volumes)).await.unwrap().volumes.unwrap_or_default() {
        left.push(format!("volume {}", volume.name));
    }
    let images = ListImagesOptionsBuilder::new().filters(&filters).build();
    for image in engine.list_images(Some(images)).await.unwrap() {
        left.push(format!("image {}", image.repo_tags.concat()));
    }
    left.sort();
    left
}

/// Removes what a test left that failed.
pub(crate) fn clear(scope: &str) {
    let scope = scope.to_owned();
    let clear = async move {
        let engine = engine();
        let filters = HashMap::from([("label", vec![format!("{SCOPE}={scope}")])]);
        let containers = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        for container in engine.list_containers(Some(containers)).await.unwrap_or_default() {
            let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            engine.remove_container(&container.id.unwrap_or_default(), Some(force)).await.ok();
        }
        let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
        for network in engine.list_networks(Some(networks)).await.unwrap_or_default() {
            engine.remove_network(&network.id.unwrap_or_default()).await.ok();
        }
        let images = ListImagesOptionsBuilder::new().filters(&filters).build();
        for image in engine.list_images(Some(images)).await.unwrap_or_default() {
            engine.remove_image(&image.id, None::<RemoveImageOptions>, None).await.ok();
        }
    };
    // A runtime of its own: the test's may be on its way out.
    let clearing = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(clear);
    });
    clearing.join().ok();
}

async fn place() -> Option<Place> {
    Place::new(Kind::Docker).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_killed_from_outside_is_lost_and_what_it_printed_is_not() {
    let Some(place) = place().await else { return };
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.start("a", &sh("main", "echo one; touch begun; sleep 1000")).await.unwrap();
    place.until_it_has("a", "begun").await;
    let name = format!("{}a", scope(place.folder.path()));
    engine().kill_container(&name, None::<KillContainerOptions>).await.unwrap();
    assert_eq!(place::ended(&*place.provider, "a", "main").await.exit, Exit::Lost);
    assert_eq!(place::all(&*place.provider, "a", "main", Stdio::Out).await, b"one\n");
    assert!(place.has("a", "begun").await);
    place.provider.start("a", &sh("main", "echo two")).await.unwrap();
    assert_eq!(place::all(&*place.provider, "a", "main", Stdio::Out).await, b"one\n");
    engine().remove_container(&name, Some(RemoveContainerOptionsBuilder::new().force(true).build())).await.unwrap();
    assert!(matches!(place.provider.status("a", "main").await, Err(Error::Missing(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn want_of_memory_is_told_of_the_command_and_of_what_it_started() {
    let Some(place) = place().await else { return };
    let mut spec = place.spec("a");
    spec.bounds = Bounds { memory_bytes_max: 100 << 20, ..spec.bounds };
    place.provider.create(&spec).await.unwrap();
    let main = place.ran("a", &exec("main", &["tail", "/dev/zero"])).await.ended;
    assert!(
        matches!(&main.exit, Exit::OverLimit(what) if what.contains("memory") && what.contains("signal 9")),
        "{main:?}"
    );
    assert!(main.oom_kills > 0, "{main:?}");
    let child = place.ran("a", &sh("child", "tail /dev/zero; echo $?")).await;
    assert_eq!((child.ended.exit, child.out.as_str()), (Exit::Code(0), "137\n"));
    assert!(child.ended.oom_kills > 0, "{:?}", child.ended.oom_kills);
    let calm = place.ran("a", &sh("calm", "true")).await.ended;
    assert_eq!((calm.exit, calm.oom_kills), (Exit::Code(0), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_passed_on_is_neither_in_the_engines_records_nor_in_the_container() {
    let Some(place) = place().await else { return };
    let canary = format!("canary-{}", "tweet".repeat(5));
    std::fs::write(place.folder.path().join("secret/login"), &canary).unwrap();
    let mut spec = place.spec("a");
    let source = place.folder.path().join("secret/login");
    spec.home_links = vec![HomeLink { source, target: ".config/login".into() }];
    place.provider.create(&spec).await.unwrap();
    // Cargo tells every test where its folder is.
    let script = "cat ~/.config/login | wc -c; echo ${CARGO_MANIFEST_DIR:+passed} ${#API_KEY}; touch begun; sleep 1000";
    let mut exec = sh("main", script);
    let key = format!("canary-{}", "wren".repeat(5));
    exec.secrets = [("API_KEY".to_owned(), key.clone().into())].into_iter().collect();
    exec.env_pass = vec!["CARGO_MANIFEST_DIR".to_owned()];
    place.provider.start("a", &exec).await.unwrap();
    place.until_it_has("a", "begun").await;
    assert_eq!(
        place::all(&*place.provider, "a", "main", Stdio::Out).await,
        format!("{}\npassed {}\n", canary.len(), key.len()).as_bytes()
    );
    let name = format!("{}a", scope(place.folder.path()));
    let record = engine().inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
    let record = serde_json::to_string(&record).unwrap();
    let options = DownloadFromContainerOptionsBuilder::new().path("/regatta/sandbox").build();
    let files = engine().download_from_container(&name, Some(options)).try_collect::<Vec<_>>().await.unwrap().concat();
    let files = String::from_utf8_lossy(&files);
    assert!(files.contains("begun") && record.contains("dev.regatta.key"));
    for secret in [canary.as_str(), &key, env!("CARGO_MANIFEST_DIR")] {
        assert!(!record.contains(secret) && !files.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_have_no_power_over_what_watches_them() {
    let Some(place) = place().await else { return };
    let script = "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'; \
        cat /regatta/sandbox/execs/main/spec.json /regatta/sandbox/spec.json /regatta/secrets/0; ls /regatta/sandbox/execs; \
        echo 0 > /regatta/sandbox/execs/main/exit; kill -9 $PPID 1; mount -t tmpfs none /mnt; touch /etc/new /regatta/new";
    let ran = place.run("a", script).await;
    assert_eq!(ran.out, "1000\nCapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n", "{ran:?}");
    assert_eq!(ran.ended.exit, Exit::Code(1));
    let created = place.provider.find("a").await.unwrap();
    assert_eq!(created.fence, "docker (runc, no capabilities, no new privileges, seccomp, network bridge)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_is_what_was_asked_for_and_goes_with_its_sandbox() {
    let Some(place) = place().await else { return };
    let look = "ls /sys/class/net | tr '\\n' ' '; awk '$2 == \"00000000\"' /proc/net/route | wc -l";
    assert_eq!(place.run("on", look).await.out, "eth0 lo 1\n");
    let mut off = place.spec("off");
    off.network = false;
    place.provider.create(&off).await.unwrap();
    assert_eq!(place.ran("off", &sh("main", look)).await.out, "lo 0\n");
    assert!(place.provider.find("off").await.unwrap().fence.contains("network none"));
    let internal = provider(place.folder.path(), Network::Internal);
    internal.create(&place.spec("in")).await.unwrap();
    let left = place.left().await;
    let name = left.iter().find_map(|left| left.strip_prefix("network ")).unwrap();
    let network = engine().inspect_network(name, None::<InspectNetworkOptions>).await.unwrap();
    assert_eq!(network.internal, Some(true));
    assert!(place.ran("in", &sh("main", look)).await.out.starts_with("eth0 lo "));
    assert!(place.provider.find("in").await.unwrap().fence.contains("network internal"));
    assert_eq!(place.left().await.len(), 4);
    for key in ["on", "off", "in"] {
        internal.destroy(key).await.unwrap();
    }
    assert_eq!(place.left().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_was_lost_makes_no_second_sandbox() {
    let Some(place) = place().await else { return };
    for network in [Network::Bridge, Network::Internal] {
        for patience_ms in [1, 4, 10, 20, 40, 80, 160, 320] {
            let made = provider(place.folder.path(), network);
            tokio::time::timeout(Duration::from_millis(patience_ms), made.create(&place.spec("a"))).await.ok();
        }
        let again = provider(place.folder.path(), network);
        let made = again.create(&place.spec("a")).await.unwrap();
        assert_eq!(again.find("a").await.unwrap(), made);
        assert_eq!(place.aside("a", &["cat", "README.md"]).await, "hello\n");
        assert_eq!(again.list("tests").await.unwrap().len(), 1);
        // Whatever it was made with, whoever removes it.
        place.provider.destroy("a").await.unwrap();
        assert_eq!(place.left().await, [""; 0], "{network:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_sandbox_stands_still_and_goes_on() {
    let Some(place) = place().await else { return };
    place.provider.create(&place.spec("a")).await.unwrap();
    place
        .provider
        .start("a", &sh("main", "touch begun; while ! [ -e go ]; do sleep 0.01; done; echo went"))
        .await
        .unwrap();
    place.until_it_has("a", "begun").await;
    place.provider.pause("a").await.unwrap();
    place.provider.pause("a").await.unwrap();
    place.provider.resume("a").await.unwrap();
    place.provider.resume("a").await.unwrap();
    place.touch("a", "go").await;
    assert_eq!(place::ended(&*place.provider, "a", "main").await.exit, Exit::Code(0));
    assert!(matches!(place.provider.pause("b").await, Err(Error::Missing(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_has_the_files_and_nothing_that_ran() {
    let Some(place) = place().await else { return };
    place.run("a", "echo changed > README.md; echo kept > ~/kept; chmod 700 run.sh; echo out").await;
    let made = place.provider.fork("a", "b").await.unwrap();
    assert_eq!(place.provider.fork("a", "b").await.unwrap(), made);
    assert_eq!(place.provider.status("b", "main").await.unwrap(), Status::NotStarted);
    assert!(place.provider.untouched("b").await.unwrap());
    let ran = place.ran("b", &sh("main", "cat README.md ~/kept; stat -c %a run.sh; echo again > README.md")).await;
    assert_eq!(ran.out, "changed\nkept\n700\n");
    assert_eq!(place.aside("a", &["cat", "README.md"]).await, "changed\n");
    place.provider.destroy("a").await.unwrap();
    assert_eq!(place.aside("b", &["cat", "README.md"]).await, "again\n");
    place.provider.destroy("b").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
    assert!(matches!(place.provider.fork("a", "c").await, Err(Error::Missing(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_kept_to_what_was_asked_for() {
    let Some(place) = place().await else { return };
    let asked = Options { cpus_milli: Some(1_500), pids_max: 300, ..options(place.folder.path(), Network::None) };
    let term = Term { epoch: 7, until_ms: Some(1_900_000_000_123) };
    DockerProvider::new(asked).create(&Spec { term, ..place.spec("a") }).await.unwrap();
    let name = format!("{}a", scope(place.folder.path()));
    let found = engine().inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
    let labels = found.config.and_then(|config| config.labels).unwrap();
    let label = |name: &str| labels.get(&format!("dev.regatta.{name}")).map(String::as_str);
    assert_eq!((label("owner"), label("key"), label("epoch")), (Some("tests"), Some("a"), Some("7")));
    assert_eq!(label("deadline"), Some("1900000000"));
    let host = found.host_config.unwrap();
    // The engine's own words: an older one ignores what it does not know.
    assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
    assert_eq!((host.memory, host.memory_swap), (Some((1 << 30) + (64 << 20)), Some((1 << 30) + (64 << 20))));
    assert_eq!((host.nano_cpus, host.pids_limit, host.init), (Some(1_500_000_000), Some(300), Some(true)));
    assert_eq!((host.privileged, host.auto_remove, host.readonly_rootfs), (Some(false), Some(false), Some(false)));
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    assert!(host.binds.is_none() && found.mounts.unwrap_or_default().iter().all(|mount| mount.source.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_can_only_be_read_leaves_a_folder_to_work_in() {
    let Some(place) = place().await else { return };
    let asked = Options { read_only: true, ..options(place.folder.path(), Network::None) };
    let provider = DockerProvider::new(asked.clone());
    let objects = place.folder.path().join("secret/objects");
    std::fs::create_dir(&objects).unwrap();
    std::fs::write(objects.join("one"), "borrowed\n").unwrap();
    let mut spec = place.spec("a");
    spec.read_only = vec![objects.clone()];
    assert!(provider.create(&spec).await.unwrap().fence.contains("read-only root"));
    assert!(provider.probe().await.unwrap().contains("read-only root"));
    let script = format!(
        "cat README.md {0}/one; echo changed > README.md; echo kept > ~/kept; echo x > $TMPDIR/x; echo x > /tmp/x; \
         echo out > $REGATTA_OUTBOX/out; for path in /etc/new /usr/new /regatta/new {0}/new; do touch $path 2>/dev/null && echo $path; done; true",
        objects.display()
    );
    provider.start("a", &sh("main", &script)).await.unwrap();
    assert_eq!(place::ended(&provider, "a", "main").await.exit, Exit::Code(0));
    assert_eq!(place::all(&provider, "a", "main", Stdio::Out).await, b"hello\nborrowed\n");
    assert_eq!(provider.get("a", "main", "out", 100).await.unwrap(), b"out\n");
    assert!(!provider.untouched("a").await.unwrap());
    // What was worked outlives a stop of the engine, and goes with the sandbox.
    let name = format!("{}a", scope(place.folder.path()));
    engine().kill_container(&name, None::<KillContainerOptions>).await.unwrap();
    let again = DockerProvider::new(asked);
    again.start("a", &sh("later", "cat README.md ~/kept")).await.unwrap();
    assert_eq!(place::ended(&again, "a", "later").await.exit, Exit::Code(0));
    assert_eq!(place::all(&again, "a", "later", Stdio::Out).await, b"changed\nkept\n");
    let volumes = place.left().await.into_iter().filter(|left| left.starts_with("volume")).count();
    assert_eq!(volumes, 2);
    assert!(!again.capabilities().contains(&Capability::Fork));
    assert!(matches!(again.fork("a", "b").await, Err(Error::Unusable { .. })));
    again.destroy("a").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandboxes_past_their_deadline_of_owners_who_are_gone_are_removed() {
    let Some(place) = place().await else { return };
    let engine = engine();
    let now_ms = engine.info().await.unwrap().system_time.unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let days_ago = |days: i64| u64::try_from(now_ms - days * 24 * 3_600 * 1_000).unwrap();
    for (key, owner, until_ms) in [
        ("long-over", "gone", Some(days_ago(3))),
        ("just-over", "gone", Some(days_ago(1))),
        ("nobody-knows", "gone", None),
        ("ours", "tests", Some(days_ago(3))),
    ] {
        let term = Term { epoch: 1, until_ms };
        let made = provider(place.folder.path(), Network::Internal);
        made.create(&Spec { owner: owner.to_owned(), term, ..place.spec(key) }).await.unwrap();
    }
    assert_eq!(place.again().list("tests").await.unwrap().len(), 1);
    let left: Vec<String> = place.left().await.into_iter().filter(|left| !left.starts_with("network")).collect();
    assert_eq!(left, ["just-over", "nobody-knows", "ours"]);
    assert_eq!(place.left().await.len(), 6, "each has a network of its own");
    for key in left {
        place.provider.destroy(&key).await.unwrap();
    }
    assert_eq!(place.left().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_of_a_copy_that_was_never_made_goes_when_somebody_looks() {
    let Some(place) = place().await else { return };
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.fork("a", "b").await.unwrap();
    // As a server leaves it that is killed between the two steps of a copy.
    let from = format!("{}a", scope(place.folder.path()));
    let tag = format!("{}c", scope(place.folder.path()));
    let options = CommitContainerOptionsBuilder::new().container(&from).repo("regatta/fork").tag(&tag).build();
    engine().commit_container(options, ContainerConfig::default()).await.unwrap();
    let copies = async || place.left().await.into_iter().filter(|left| left.starts_with("image")).count();
    assert_eq!(copies().await, 2);
    place.again().list("others").await.unwrap();
    assert_eq!(copies().await, 2);
    place.again().list("tests").await.unwrap();
    assert_eq!(copies().await, 1);
    assert_eq!(place.aside("b", &["cat", "README.md"]).await, "hello\n");
    for key in ["a", "b"] {
        place.provider.destroy(key).await.unwrap();
    }
    assert_eq!(place.left().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_with_a_sparse_file_of_ten_gigabytes_is_refused() {
    let Some(place) = place().await else { return };
    let sparse = place.folder.path().join("seed/sparse");
    std::fs::File::create(&sparse).unwrap().set_len(10 << 30).unwrap();
    let made = place.provider.create(&place.spec("a")).await;
    assert!(matches!(&made, Err(Error::Unusable { reason }) if reason.contains("sparse")), "{made:?}");
    assert_eq!(place.left().await, [""; 0]);
}

/// How many images there are of a name.
async fn images(name: &str) -> usize {
    let filters = HashMap::from([("reference", vec![name.to_owned()])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    engine().list_images(Some(options)).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dockerfile_is_built_once_for_its_content_and_what_is_wrong_with_one_is_said() {
    let Some(place) = place().await else { return };
    let path = place.folder.path().join("Dockerfile");
    let asked = Options { dockerfile: Some(path.clone()), ..options(place.folder.path(), Network::None) };
    let refused = async |content: Option<&str>| {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => drop(std::fs::remove_file(&path)),
        }
        match DockerProvider::new(asked.clone()).create(&place.spec("wrong")).await {
            Err(Error::Unusable { reason }) => reason,
            made => panic!("{content:?}: {made:?}"),
        }
    };
    assert!(refused(None).await.contains("docker.dockerfile"));
    let why = refused(Some(&format!("FROM {IMAGE}\nRUN echo so far; exit 7\n"))).await;
    assert!(why.contains("Dockerfile cannot be built") && why.contains("so far") && why.contains('7'), "{why}");
    let why = refused(Some(&format!("FROM {IMAGE}\nCOPY mine /mine\n"))).await;
    assert!(why.contains("mine") && why.contains("only the file itself is sent"), "{why}");
    let why = refused(Some("SAIL away\n")).await;
    assert!(why.to_lowercase().contains("sail"), "{why}");
    assert_eq!(place.left().await, [""; 0]);
    let content = format!("FROM {IMAGE}\nRUN echo {} > /built\n", scope(place.folder.path()));
    std::fs::write(&path, &content).unwrap();
    let name = format!("regatta/built:{}", blake3::hash(content.as_bytes()).to_hex().get(..16).unwrap());
    assert_eq!(images(&name).await, 0);
    assert!(DockerProvider::new(asked.clone()).probe().await.is_ok());
    assert_eq!(images(&name).await, 0, "whoever only asks builds nothing");
    let mut made = Vec::new();
    for key in ["a", "b"] {
        DockerProvider::new(asked.clone()).create(&place.spec(key)).await.unwrap();
        assert_eq!(place.aside(key, &["cat", "/built"]).await, format!("{}\n", scope(place.folder.path())));
        let container = format!("{}{key}", scope(place.folder.path()));
        made.push(engine().inspect_container(&container, None::<InspectContainerOptions>).await.unwrap().image);
        place.provider.destroy(key).await.unwrap();
    }
    assert_eq!(made.first(), made.last(), "one prepared image for both");
    assert_eq!(images(&name).await, 1);
    for image in [made.remove(0).unwrap(), name] {
        engine().remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_server_left_half_made_goes_when_the_next_one_looks() {
    let Some(place) = place().await else { return };
    let whose = format!("{}tests", scope(place.folder.path()));
    let half_made = async |maker: &str| {
        let labels = [("dev.regatta.preparing", whose.as_str()), ("dev.regatta.maker", maker)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (image, cmd) = (Some(IMAGE.to_owned()), Some(vec!["true".to_owned()]));
        let body = ContainerCreateBody { image, cmd, labels: Some(labels), ..Default::default() };
        engine().create_container(None::<CreateContainerOptions>, body).await.unwrap();
    };
    let count = async || {
        let filters = HashMap::from([("label", vec![format!("dev.regatta.preparing={whose}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        engine().list_containers(Some(options)).await.unwrap().len()
    };
    place.provider.create(&place.spec("a")).await.unwrap();
    let sandboxes = count().await;
    half_made("somebody who is gone").await;
    assert_eq!(count().await, sandboxes + 1);
    let found = place.again().list("tests").await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(count().await, sandboxes);
    assert_eq!(place.again().list("others").await.unwrap(), []);
    assert_eq!(place.aside("a", &["cat", "README.md"]).await, "hello\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_setup_made_is_begun_with_by_others_of_the_same_base_and_by_nobody_else() {
    let Some(place) = place().await else { return };
    let owner = scope(place.folder.path());
    let warm = |name: &str, base: &str| Some(Warm { name: name.to_owned(), base: base.to_owned() });
    let spec = |key: &str, warm: Option<Warm>| Spec { owner: owner.clone(), warm, ..place.spec(key) };
    let set_up = async |key: &str, name: &str, base: &str, script: &str| {
        let is_warm = place.provider.create(&spec(key, warm(name, base))).await.unwrap().is_warm;
        let ran = place.ran(key, &sh("setup", script)).await;
        assert_eq!(ran.ended.exit, Exit::Code(0), "{ran:?}");
        place.provider.keep_warm(key, &warm(name, base).unwrap()).await.unwrap();
        is_warm
    };
    let made = "echo made > made; echo changed > README.md; echo cached > ~/cache; echo t > $TMPDIR/t";
    assert!(!set_up("a", "one", "base", made).await);
    // Another instance, with another task: the work of setup, and nothing else of the one it was made in.
    let again = place.again();
    let inbox = vec![InboxFile { name: "prompt.md".to_owned(), content: b"second".to_vec() }];
    let second = Spec { inbox, term: Term { epoch: 9, until_ms: None }, ..spec("b", warm("one", "base")) };
    assert!(again.create(&second).await.unwrap().is_warm);
    assert!(again.create(&second).await.unwrap().is_warm);
    assert!(place.again().find("b").await.unwrap().is_warm);
    assert_eq!(again.status("b", "setup").await.unwrap(), Status::NotStarted);
    let look = "cat made README.md ~/cache $TMPDIR/t $REGATTA_INBOX/prompt.md; echo more >> made; ls ~";
    assert_eq!(place.ran("b", &sh("main", look)).await.out, "made\nchanged\ncached\nt\nsecondcache\n");
    assert!(!again.untouched("b").await.unwrap(), "what setup changed is a change");
    // What happened in it is not in the next.
    assert!(place.provider.create(&spec("c", warm("one", "base"))).await.unwrap().is_warm);
    assert_eq!(place.aside("c", &["cat", "made"]).await, "made\n");
    // Another command, another base, another owner and who wants none begin anew.
    for (key, spec) in [
        ("d", spec("d", warm("two", "base"))),
        ("e", spec("e", warm("one", "other"))),
        ("f", place.spec("f")),
        ("g", Spec { warm: warm("one", "base"), ..place.spec("g") }),
    ] {
        assert!(!place.provider.create(&spec).await.unwrap().is_warm, "{key}");
        assert_eq!(place.aside(key, &["cat", "README.md"]).await, "hello\n", "{key}");
    }
    // What is in memory is in no image: it is not kept.
    place.ran("d", &sh("setup", "touch /tmp/tool")).await;
    place.provider.keep_warm("d", &warm("two", "base").unwrap()).await.unwrap();
    assert!(!place.provider.create(&spec("h", warm("two", "base"))).await.unwrap().is_warm);
    // One is kept of each command: that of the newest base.
    let kept = async || place.left().await.into_iter().filter(|left| left.starts_with("image regatta/warm")).count();
    assert_eq!(kept().await, 1);
    for key in ["a", "b", "c", "d", "f", "g", "h"] {
        place.provider.destroy(key).await.unwrap();
    }
    place.ran("e", &sh("setup", "echo of the other > made")).await;
    place.provider.keep_warm("e", &warm("one", "other").unwrap()).await.unwrap();
    assert_eq!(kept().await, 1);
    assert!(!place.provider.create(&spec("i", warm("one", "base"))).await.unwrap().is_warm);
    assert!(place.provider.create(&spec("j", warm("one", "other"))).await.unwrap().is_warm);
    assert_eq!(place.aside("j", &["cat", "made"]).await, "of the other\n");
    for key in ["e", "i", "j"] {
        place.provider.destroy(key).await.unwrap();
    }
    clear(&scope(place.folder.path()));
    assert_eq!(place.left().await, [""; 0]);
}
