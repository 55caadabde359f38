//! The server dies, or the runner does: what was started goes on and is found, or is known to be lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as Channel};

use regatta_sandboxes::local::Fence;
use regatta_sandboxes::{Exit, Stdio};
use rustix::process::{Pid, Signal};

use super::promises;
use crate::place::{self, Kind, Place, all, ended, processes, sh, until};

promises! {
    what_a_killed_server_started_goes_on
}

mod here {
    crate::contract::promises! { here:
        what_a_server_passes_on_is_never_written_down
        a_secret_is_given_from_memory_to_memory
        a_lost_runner_leaves_nothing_running
        a_lost_runner_is_noticed_by_destroy
        an_interrupted_create_or_destroy_is_cleared_away
        a_removal_goes_on_wherever_it_was_interrupted
        what_an_agent_named_like_a_command_is_only_removed
        a_sandbox_is_listed_until_nothing_is_left_of_it
    }

    use super::{
        a_lost_runner_is_noticed_by_destroy, a_lost_runner_leaves_nothing_running,
        a_removal_goes_on_wherever_it_was_interrupted, a_sandbox_is_listed_until_nothing_is_left_of_it,
        a_secret_is_given_from_memory_to_memory, an_interrupted_create_or_destroy_is_cleared_away,
        what_a_server_passes_on_is_never_written_down, what_an_agent_named_like_a_command_is_only_removed,
    };
}

/// Tells the test below that it is the server of another test: kind, folder, key, script and variables to pass on.
const ROLE: &str = "REGATTA_TEST_SERVER";

/// In a process of its own this is a server that starts a command and then waits to be killed.
#[tokio::test]
async fn a_server_of_its_own() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let role = role.into_string().unwrap();
    let words: Vec<&str> = role.split('\n').collect();
    let [kind, folder, key, script, pass] = words[..] else { panic!("{role}") };
    let kind = match kind {
        "Here(Bubblewrap)" => Kind::Here(Fence::Bubblewrap),
        "Here(Landlock)" => Kind::Here(Fence::Landlock),
        "Here(Auto)" => Kind::Here(Fence::Auto),
        "Docker" => Kind::Docker,
        "E2b" => Kind::E2b,
        "Daytona" => Kind::Daytona,
        _ => Kind::Here(Fence::None),
    };
    let provider = place::provider(Path::new(folder), kind);
    if script == "probe" {
        let found = provider.probe().await.unwrap_or_else(|error| error.to_string());
        return fs::write(Path::new(folder).join("served"), found).unwrap();
    }
    let mut exec = sh("main", script);
    exec.env_pass = pass.split(',').map(str::to_owned).collect();
    provider.start(key, &exec).await.unwrap();
    fs::write(Path::new(folder).join("served"), "").unwrap();
    std::future::pending::<()>().await;
}

/// The fence a server finds that has another `PATH`.
fn probed(fence: &str, path: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let role = [&format!("Here({fence})"), folder.path().to_str().unwrap(), "", "probe", ""].join("\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "contract::crash::a_server_of_its_own"]).env(ROLE, role).env("PATH", path);
    assert!(command.stdout(Channel::null()).status().unwrap().success());
    fs::read_to_string(folder.path().join("served")).unwrap()
}

#[test]
fn without_bubblewrap_landlock_takes_its_place() {
    let path = std::env::var("PATH").unwrap();
    let (bubblewrap, landlock) = (probed("Bubblewrap", &path), probed("Landlock", &path));
    let expected = if bubblewrap == "bubblewrap" { &bubblewrap } else { &landlock };
    assert_eq!(&probed("Auto", &path), expected);
    assert_eq!(probed("Auto", "/nonexistent"), landlock);
    let said = probed("Bubblewrap", "/nonexistent");
    assert!(said.contains("apt install bubblewrap") && said.contains("`host`"), "{said}");
}

/// A server in another process; killed when dropped.
pub(super) struct Server(Child);

impl Server {
    pub(super) async fn start(place: &Place, key: &str, script: &str, pass: &[(&str, &str)]) -> Self {
        let names: Vec<&str> = pass.iter().map(|(name, _)| *name).collect();
        let folder = place.folder.path();
        let role = [&format!("{:?}", place.kind), folder.to_str().unwrap(), key, script, &names.join(",")].join("\n");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "contract::crash::a_server_of_its_own"]).env(ROLE, role).envs(pass.iter().copied());
        let server = Self(command.env("UNPASSED", "unpassed").stdout(Channel::null()).spawn().unwrap());
        until("the server has started it", || folder.join("served").exists()).await;
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn what_a_killed_server_started_goes_on(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let script = "echo one; while ! [ -e go ]; do sleep 0.01; done; echo two; exit 42";
    drop(Server::start(&place, "a", script, &[]).await);
    place.touch("a", "go").await;
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Code(42));
    assert_eq!(all(&*place.provider, "a", "main", Stdio::Out).await, b"one\ntwo\n");
    place.provider.destroy("a").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
}

async fn what_a_server_passes_on_is_never_written_down(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let canary = format!("canary-{}-{}", std::process::id(), "tweet".repeat(5));
    let script =
        "echo ${#CANARY} ${UNPASSED-none}; cat /proc/self/cmdline | wc -l; while ! [ -e go ]; do sleep 0.01; done";
    let server = Server::start(&place, "a", script, &[("CANARY", &canary)]).await;
    fs::write(place.root().join("a/work/go"), "").unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Code(0));
    let out = all(&*place.provider, "a", "main", Stdio::Out).await;
    assert!(out.starts_with(format!("{} none\n", canary.len()).as_bytes()), "{}", String::from_utf8_lossy(&out));
    drop(server);
    nowhere_on_disk(&place, &canary);
}

async fn a_secret_is_given_from_memory_to_memory(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let canary = format!("canary-{}-{}", std::process::id(), "wren".repeat(5));
    let script = "echo ${#API_KEY} $HOME; for one in /proc/[0-9]*; do xargs -0 < $one/cmdline; done 2>/dev/null";
    let mut exec = sh("main", script);
    exec.secrets = [("API_KEY", canary.as_str()), ("HOME", "/elsewhere")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let ran = place.ran("a", &exec).await;
    let home = place.root().join("a/home");
    let begins = format!("{} {}\n", canary.len(), home.display());
    assert!(ran.out.starts_with(&begins), "the place's own variables stay: {}", ran.out);
    assert!(!ran.out.contains("wren"), "a command line holds it: {}", ran.out);
    assert_eq!(format!("{exec:?}").matches("wren").count(), 0);
    nowhere_on_disk(&place, &canary);
}

fn nowhere_on_disk(place: &Place, canary: &str) {
    let mut files = 0;
    let mut folders = vec![place.folder.path().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                files += 1;
                let content = fs::read(entry.path()).unwrap();
                let found = content.windows(canary.len()).any(|bytes| bytes == canary.as_bytes());
                assert!(!found, "{}", entry.path().display());
            }
        }
    }
    assert!(files >= 8, "{files}");
}

fn exec_folder(place: &Place, key: &str) -> PathBuf {
    place.root().join(key).join("execs/main")
}

/// Starts something that leaves children all over, and kills its runner.
async fn lose_the_runner(place: &Place, key: &str) {
    place.provider.create(&place.spec(key)).await.unwrap();
    let script = "trap '' TERM; echo begun; (setsid sh -c 'sleep 1000 & sleep 1000' &); sleep 1000";
    place.provider.start(key, &sh("main", script)).await.unwrap();
    until("they run", || processes(key).iter().filter(|line| line.starts_with("sleep")).count() == 3).await;
    let runner = fs::read_to_string(exec_folder(place, key).join("started")).unwrap();
    rustix::process::kill_process(Pid::from_raw(runner.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
}

async fn a_lost_runner_leaves_nothing_running(place: Place) {
    let key = place.key("lost");
    lose_the_runner(&place, &key).await;
    let again = place.again();
    assert_eq!(ended(&*again, &key, "main").await.exit, Exit::Lost);
    assert_eq!(processes(&key), [""; 0]);
    assert_eq!(ended(&*place.provider, &key, "main").await.exit, Exit::Lost);
    assert_eq!(all(&*again, &key, "main", Stdio::Out).await, b"begun\n");
}

async fn a_lost_runner_is_noticed_by_destroy(place: Place) {
    let key = place.key("lost-and-destroyed");
    lose_the_runner(&place, &key).await;
    place.again().destroy(&key).await.unwrap();
    assert_eq!(processes(&key), [""; 0]);
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 0);
}

async fn an_interrupted_create_or_destroy_is_cleared_away(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.create(&place.spec("ab")).await.unwrap();
    for rest in [".a.1-1.new", ".a.1-2.trash", ".a.1-2.trash.0"] {
        fs::create_dir_all(place.root().join(rest).join("work/deep")).unwrap();
    }
    assert_eq!(place.provider.list("tests").await.unwrap().len(), 2);
    place.provider.destroy("a").await.unwrap();
    let left: Vec<_> = fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["ab"]);
}

/// Files go in the order of the disk, so any of them may be gone already.
async fn a_removal_goes_on_wherever_it_was_interrupted(place: Place) {
    let files = ["lock", "started", "exit", "out"];
    for gone in 0..1 << files.len() {
        place.run("a", "echo one").await;
        let aside = place.root().join(".a.1-2.trash");
        fs::rename(place.root().join("a"), &aside).unwrap();
        for (bit, name) in files.iter().enumerate().filter(|(bit, _)| gone & (1 << bit) != 0) {
            fs::remove_file(aside.join("execs/main").join(name)).unwrap_or_else(|error| panic!("{bit}: {error}"));
        }
        fs::remove_file(aside.join("spec.json")).unwrap();
        place.again().destroy("a").await.unwrap_or_else(|error| panic!("{gone:b}: {error}"));
        assert_eq!(place.left().await, [""; 0]);
    }
    // A wish to stop that was only half told.
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.start("a", &sh("main", "echo begun; sleep 1000")).await.unwrap();
    until("it runs", || fs::read(exec_folder(&place, "a").join("out")).is_ok_and(|out| !out.is_empty())).await;
    fs::write(exec_folder(&place, "a").join("stop.destroy"), "").unwrap();
    place.again().destroy("a").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
}

async fn what_an_agent_named_like_a_command_is_only_removed(place: Place) {
    let theirs = place.folder.path().join("theirs");
    fs::create_dir_all(theirs.join("kept")).unwrap();
    // Deep in a workspace is theirs; it comes to light when a removal that moved it up is interrupted.
    let part = place.root().join(".a.1-2.trash.0");
    fs::create_dir_all(&part).unwrap();
    std::os::unix::fs::symlink(&theirs, part.join("execs")).unwrap();
    let aside = place.root().join(".a.1-2.trash/execs");
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("file"), "").unwrap();
    std::os::unix::fs::symlink(theirs.join("kept"), aside.join("link")).unwrap();
    place.provider.destroy("a").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
    assert_eq!(fs::read_dir(theirs.join("kept")).unwrap().count(), 0);
}

async fn a_sandbox_is_listed_until_nothing_is_left_of_it(place: Place) {
    let listed = async |owner: &str| -> Vec<String> {
        place.provider.list(owner).await.unwrap().into_iter().map(|found| found.key).collect()
    };
    for key in ["making", "removed", "whole"] {
        place.provider.create(&place.spec(key)).await.unwrap();
    }
    let root = place.root();
    fs::rename(root.join("making"), root.join(".making.1-1.new")).unwrap();
    fs::rename(root.join("removed"), root.join(".removed.1-2.trash")).unwrap();
    for rest in [".begun.1-3.new", ".whole.1-4.trash", ".bare.1-5.trash", ".deep.1-6.trash.0", ".no-rest", ".a.b.c"] {
        fs::create_dir_all(root.join(rest).join("work")).unwrap();
    }
    // Somebody else may be making what does not say yet whose it is.
    assert_eq!(listed("tests").await, ["bare", "deep", "making", "removed", "whole"]);
    assert_eq!(listed("others").await, ["bare", "deep"], "nobody's rests are anybody's");
    for key in listed("tests").await {
        place.provider.destroy(&key).await.unwrap();
    }
    assert_eq!(listed("tests").await, [""; 0]);
    let mut left = place.left().await;
    left.sort();
    assert_eq!(left, [".a.b.c", ".begun.1-3.new", ".no-rest"]);
}
