//! Attempts in containers of the machine's Docker engine, through the real binary.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::{Install, until};
use crate::victim::Victim;

/// Made by `cargo xtask image`.
const IMAGE: &str = "regatta/base:bookworm";
/// Lines each agent prints.
const LINES: u32 = 40;
/// How long everything may take once nobody kills any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// What the engine says; nothing when it refuses or is not there.
pub(crate) fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether there is an engine with the image; says why not.
pub(crate) fn has_image() -> bool {
    let has = docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).is_some();
    if !has {
        assert!(
            std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"),
            "no engine with {IMAGE}: cargo xtask image"
        );
        println!("skipped: no Docker engine with the image {IMAGE}");
    }
    has
}

/// The installation's name, which every sandbox of it carries.
fn owner(install: &Install, run: &str) -> String {
    let view = install.view(&["show", &format!("{run}.a")]);
    view["sandbox"].as_str().and_then(|key| key.split('-').nth(1)).expect("a sandbox").to_owned()
}

/// Containers, networks and volumes of an installation.
pub(crate) fn left(owner: &str) -> Vec<String> {
    let filter = format!("label=dev.regatta.owner={owner}");
    let lists = [["ps", "-aq"].as_slice(), &["network", "ls", "-q"], &["volume", "ls", "-q"]];
    let left = lists.map(|list| docker(&[list, &["--filter", &filter]].concat()).expect("the engine answers"));
    left.iter().flat_map(|ids| ids.lines()).map(str::to_owned).collect()
}

fn until_nothing_is_left(owner: &str) {
    until("the containers are removed", || left(owner).is_empty().then_some(()));
    // What setup made is kept for others, of whom there are none in a test.
    let filter = format!("label=dev.regatta.owner={owner}");
    for image in docker(&["images", "-q", "--filter", &filter]).expect("the engine answers").lines() {
        docker(&["rmi", "-f", image]);
    }
}

#[test]
fn what_setup_made_is_used_by_the_next_attempt_on_the_same_base_and_that_is_said() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    let agent = "command@docker=cat made; echo two >> file";
    let ask = ["-a", agent, "--setup", "echo set up; cat /proc/sys/kernel/random/uuid > made", "--check", "it=true"];
    let mut seen = Vec::new();
    for _ in 0..2 {
        let run = install.race(&ask, 0);
        assert_eq!(install.git(&["show", &format!("regatta/{run}/a:file")]).out, "one\ntwo\n");
        let setup = install.regatta(&["sandbox", "logs", "last.a", "--phase", "setup"]).exits(0).out;
        seen.push((setup, install.regatta(&["show", "last.a", "--output"]).exits(0).out));
    }
    let ((first, made), (second, again)) = (&seen[0], &seen[1]);
    assert_eq!((first.as_str(), made), ("set up\n", again));
    assert!(second.starts_with("set up already"), "{second}");
    assert!(install.regatta(&["doctor"]).out.contains("of ours kept ("));
    let fleet = install.regatta(&["fleet"]).exits(0).out;
    assert!(fleet.contains("docker keeps ") && fleet.contains("regatta sandbox reap --images"), "{fleet}");
    assert!(install.view(&["fleet"])["kept"]["docker"]["images"].as_u64() > Some(1), "{fleet}");
    // Whoever wants it made anew each time says so.
    install.regatta(&["down"]).exits(0);
    install.configure("[docker]\nwarm = false\n");
    install.race(&ask, 0);
    assert_eq!(install.regatta(&["sandbox", "logs", "last.a", "--phase", "setup"]).exits(0).out, "set up\n");
    until_nothing_is_left(&owner(&install, "last"));
}

#[test]
fn a_race_in_containers_is_checked_collected_and_delivered() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    let agent = "command@docker=id -u; cat made; echo two >> file; echo kept > $REGATTA_ARTIFACTS/note.txt; \
                 test -d \"$REGATTA_WORKSPACE\" && pwd";
    let check = "it=grep -q two file && echo seen > $REGATTA_ARTIFACTS/seen";
    let run = install.race(&["-a", agent, "--setup", "echo made > made", "--check", check], 0);
    assert_eq!(install.git(&["show", &format!("regatta/{run}/a:file")]).out, "one\ntwo\n");
    let printed = install.regatta(&["show", "last.a", "--output"]).exits(0).out;
    assert!(printed.starts_with("1000\nmade\n"), "{printed}");
    assert_eq!(install.regatta(&["sandbox", "logs", "last.a"]).exits(0).out, printed);
    let names = install.view(&["artifacts", "last.a"]).to_string();
    assert!(names.contains("agent/note.txt") && names.contains("check-0/seen"), "{names}");
    let fence = install.view(&["show", "last.a"])["fence"].as_str().unwrap_or_default().to_owned();
    assert!(fence.starts_with("docker (") && fence.contains("no new privileges"), "{fence}");
    until_nothing_is_left(&owner(&install, &run));
}

#[test]
fn an_engine_or_image_that_is_not_there_is_told_before_anything_starts() {
    let install = Install::new();
    let run = ["run", "x", "-a", "command@docker=true"];
    install.configure("[docker]\nhost = \"unix:///nowhere/docker.sock\"\n");
    install
        .regatta(&run)
        .exits(3)
        .says("the Docker engine at unix:///nowhere/docker.sock cannot be used")
        .says("docker.host");
    let findings = install.regatta(&["doctor", "--json"]).json();
    let finding =
        findings.as_array().into_iter().flatten().find(|finding| finding["name"] == "docker").expect("finding");
    assert!(finding["todo"].as_str().is_some_and(|todo| todo.contains("systemctl start docker")), "{finding}");
    assert!(install.regatta(&["ls"]).out.is_empty(), "no run was begun");
    install.regatta(&["down"]).exits(0);
    if !has_image() {
        return;
    }
    install.configure("[docker]\nimage = \"nobody/none:1\"\n");
    install.regatta(&run).exits(3).says("the engine has no image nobody/none:1").says("docker pull nobody/none:1");
}

#[test]
fn a_server_killed_while_containers_work_finishes_them_and_leaves_nothing() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    install.configure("[docker]\nnetwork = \"internal\"\npids = 256\ncpus = 1.5\n[limits]\ndocker = 4\n");
    let mut victim = Victim::new(&install);
    victim.start();
    until("the server answers", || victim.is_up().then_some(()));
    let agent = format!(
        "command@docker=n=0; while [ $n -lt {LINES} ]; do echo line-$n; n=$((n+1)); sleep 0.1; done; echo two >> file"
    );
    let mut ask = vec!["run", "count", "--no-start", "--strategy", "all", "--check", "it=grep -q two file"];
    for _ in 0..3 {
        ask.extend(["-a", &agent]);
    }
    let run = install.regatta(&ask).exits(0).out.trim().to_owned();
    // While they are made, while they print, and while they are checked or removed.
    for moment_ms in [700, 2_500, 2_500, 1_500] {
        std::thread::sleep(Duration::from_millis(moment_ms));
        victim.kill();
        victim.start();
    }
    let began = Instant::now();
    let state = || install.regatta(&["show", &run, "--json"]);
    until("the run ends", || {
        assert!(began.elapsed() < FINISH_MAX, "{:?}", state());
        let shown = state();
        let view: Value = serde_json::from_str(&shown.out).ok()?;
        (!view["row"]["finished_at_us"].is_null()).then_some(())
    });
    let expected: String = (0..LINES).map(|line| format!("line-{line}\n")).collect();
    for slot in ["a", "b", "c"] {
        let attempt = format!("{run}.{slot}");
        assert_eq!(install.regatta(&["show", &attempt, "--output"]).exits(0).out, expected, "{attempt}");
        let view = install.view(&["show", &attempt]);
        assert_eq!((&view["state"]["outcome"], &view["starts_used"]), (&"passed".into(), &1.into()), "{view}");
    }
    until_nothing_is_left(&owner(&install, &run));
    victim.kill();
    install.regatta(&["log", "verify"]).exits(0);
}

#[test]
fn what_was_left_behind_is_seen_and_removed() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", "command@docker=echo two >> file"], 0);
    let owner = owner(&install, &run);
    let key = format!("regatta-{owner}-aaaaaaaa-a-1");
    let labels = [("owner", owner.as_str()), ("scope", "sandbox-"), ("key", &key)];
    let labels = labels.map(|(name, value)| format!("--label=dev.regatta.{name}={value}"));
    let stray = || {
        let name = format!("--name=sandbox-{key}");
        let mut create = vec!["create", name.as_str(), "--network=none"];
        create.extend(labels.iter().map(String::as_str));
        create.extend([IMAGE, "true"]);
        docker(&create).expect("made");
    };
    stray();
    let listed = install.view(&["sandbox", "ls"]);
    let row =
        listed["rows"].as_array().into_iter().flatten().find(|row| row["sandbox"]["key"] == *key).expect("listed");
    assert_eq!((&row["sandbox"]["right"], &row["sandbox"]["provider"]), (&"none".into(), &"docker".into()));
    let reaped = install.regatta(&["sandbox", "reap"]).exits(0).out;
    assert_eq!(reaped.trim(), key);
    assert_eq!(left(&owner), [""; 0]);
    stray();
    install.regatta(&["sandbox", "rm", &key]).exits(0).says("removed");
    install.regatta(&["sandbox", "rm", &key]).exits(3).says("there is no sandbox");
    // A start finds what nobody knows of by itself.
    install.regatta(&["down"]).exits(0);
    stray();
    install.regatta(&["up", "--detach"]).exits(0);
    until_nothing_is_left(&owner);
    let reaped = install.view_lines(&["log", "tail", "--from", "1", "--kind", "sandbox.reaped"]);
    let by: Vec<&str> = reaped.iter().filter_map(|event| event["actor"].as_str()).collect();
    assert_eq!(by, ["user:ana", "user:ana", "regatta"]);
    assert_eq!(install.view(&["fleet"])["totals"]["leaks"], 0);
}

#[test]
fn a_person_can_go_into_a_container_and_take_it_away() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    let agent = "command@docker=echo begun; while ! [ -e go ]; do sleep 0.05; done; rm go; echo two >> file";
    install.regatta(&["run", "wait", "-a", agent]).exits(0);
    crate::sandbox::begun(&install, "last.a");
    let listed = install.regatta(&["sandbox", "ls"]).exits(0).out;
    assert!(listed.contains("docker") && listed.contains("agent"), "{listed}");
    let copy = install.regatta(&["sandbox", "fork", "last.a", "--for", "10m"]).exits(0).out.trim().to_owned();
    let inside =
        install.regatta(&["sandbox", "exec", &copy, "--", "sh", "-c", "cat file; echo copied > file"]).exits(0);
    assert_eq!(inside.out, "one\n");
    let short = install.regatta(&["sandbox", "fork", "last.a", "--for", "3s"]).exits(0).out.trim().to_owned();
    until("a copy's time is up", || {
        let listed = install.regatta(&["sandbox", "ls", "-q"]).exits(0).out;
        (listed.contains(&copy) && !listed.contains(&short)).then_some(())
    });
    let done =
        install.regatta(&["sandbox", "exec", "last.a", "--", "sh", "-c", "id -u; cat file; echo err >&2; touch go"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("1000\none\n", "err\n"));
    install.regatta(&["watch", "last"]).exits(0);
    // A copy outlives its attempt and the server, until it is taken away.
    install.regatta(&["down"]).exits(0);
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["sandbox", "reap"]).exits(0).says("nothing was left behind");
    assert_eq!(install.regatta(&["sandbox", "ls", "-q"]).exits(0).out.trim(), copy);
    install.regatta(&["sandbox", "rm", &copy]).exits(0);
    until_nothing_is_left(&owner(&install, "last"));
    assert!(fs::read_dir(install.data().join("sandboxes/local")).is_ok_and(|mut left| left.next().is_none()));
}
