//! A real Docker engine: how tests share one, and what is told of containers alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptionsBuilder, InspectContainerOptions, InspectNetworkOptions,
    KillContainerOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;
use regatta_sandboxes::docker::{IMAGE, Network, Options};
use regatta_sandboxes::{Bounds, Capability, DockerProvider, Error, Exit, HomeLink, Provider as _, Status, Stdio};

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
        program: PathBuf::from(env!("CARGO_BIN_EXE_regatta-sandbox-runner")),
        network,
        read_only: false,
        cpus_milli: None,
        memory_bytes_max: None,
        pids_max: 512,
        runtime: None,
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
    DockerProvider::new(asked).create(&place.spec("a")).await.unwrap();
    let name = format!("{}a", scope(place.folder.path()));
    let found = engine().inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
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
