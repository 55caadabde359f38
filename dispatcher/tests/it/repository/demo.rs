//! The demo's repository has the bug it claims, and its programs do to it what they claim.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use regatta_dispatcher::RunRequest;

use super::*;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("examples")
}

/// The demo's repository as a user's, or nothing when Node 20 is missing.
fn demo() -> Option<World> {
    let version = command("node").arg("--version").output().ok().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version).trim().to_owned();
    let major: u32 =
        version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < 20 {
        let required = std::env::var_os("REGATTA_TEST_REQUIRE").is_some_and(|required| required == "all");
        assert!(!required, "Node 20 or later is missing, found {version:?}");
        println!("skipped: Node 20 or later is missing, found {version:?}");
        return None;
    }
    let world = World::new();
    ok(Command::new("cp").arg("-r").arg(examples().join("demo/.")).arg(world.user()));
    world.commit("tinycsv");
    Some(world)
}

/// The names of the tests that fail there.
fn failing(folder: &Path) -> Vec<String> {
    let tests = command("node").current_dir(folder).args(["--test", "--test-reporter=tap"]).output().expect("runs");
    let printed = String::from_utf8_lossy(&tests.stdout).into_owned();
    let names = printed.lines().filter_map(|line| line.trim().strip_prefix("not ok ")?.split_once(" - "));
    let names: Vec<String> = names.map(|(_, name)| name.to_owned()).filter(|name| !name.ends_with(".js")).collect();
    assert_eq!(names.is_empty(), tests.status.success(), "{printed}");
    names
}

fn program(workspace: &Workspace, name: &str) -> Command {
    fs::write(workspace.home.join("prompt"), "fix the parser\n").expect("writes");
    let mut command = command("node");
    command.arg(examples().join("demo-agents").join(name)).current_dir(&workspace.path);
    command.env("HOME", &workspace.home).env("REGATTA_PROMPT_FILE", workspace.home.join("prompt"));
    command
}

/// Runs a program to its end and checks which tests fail then; gives what it changed.
async fn changed_by(name: &str, fails: &[&str]) -> Option<Collected> {
    let world = demo()?;
    let workspace = world.workspace("attempt").await;
    let printed = ok(&mut program(&workspace, name)).stdout;
    assert!(printed.starts_with(b"task: fix the parser\n"), "it tells what it does");
    assert_eq!(failing(&workspace.path), fails);
    let collected = workspace.collect();
    assert_eq!(world.delivered(&workspace, &collected).await, tree_at(&workspace.path));
    Some(collected)
}

#[test]
fn the_demo_has_one_bug_that_one_test_shows() {
    let Some(world) = demo() else { return };
    assert_eq!(failing(&world.user()), ["a last row needs no line break"]);
}

#[tokio::test]
async fn the_careful_program_fixes_it_with_one_line() {
    let Some(collected) = changed_by("careful.mjs", &[]).await else { return };
    assert_eq!(collected.stat, DiffStat { files: 1, added: 1, removed: 0 });
}

#[tokio::test]
async fn the_eager_program_fixes_it_with_many_files() {
    let Some(collected) = changed_by("eager.mjs", &[]).await else { return };
    assert_eq!(collected.stat.files, 8);
    assert!(collected.stat.added > 100, "{:?}", collected.stat);
}

#[tokio::test]
async fn the_hasty_program_breaks_another_test() {
    let Some(collected) = changed_by("hasty.mjs", &["spaces belong to the field"]).await else { return };
    assert_eq!(collected.stat, DiffStat { files: 1, added: 1, removed: 0 });
}

/// A program that is ended with the children it has, whatever the test does.
struct Endless(Child);

impl Endless {
    fn children(&self) -> Vec<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id())).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        for child in self.children() {
            drop(Command::new("kill").args(["-KILL", &child.to_string()]).status());
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_endless_program_goes_on_and_has_a_child_in_a_session_of_its_own() {
    let Some(world) = demo() else { return };
    let workspace = world.workspace("attempt").await;
    let mut endless = Endless(program(&workspace, "endless.mjs").stdout(Stdio::piped()).spawn().expect("starts"));
    let mut lines = BufReader::new(endless.0.stdout.take().expect("a pipe")).lines();
    let thinking = lines.by_ref().map(|line| line.expect("reads")).find(|line| line.starts_with("thinking…"));
    assert!(thinking.is_some_and(|line| line.contains("of 1 characters")));
    assert_eq!(endless.0.try_wait().expect("asks"), None, "it goes on");
    let [child] = endless.children()[..] else { panic!("not one child: {:?}", endless.children()) };
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).expect("lives");
    let session = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(3));
    assert_eq!(session, Some(child.to_string().as_str()));
}

#[test]
fn the_task_is_a_run_request_but_for_the_repository() {
    let text = fs::read_to_string(examples().join("demo/task.json")).expect("reads");
    let mut task: serde_json::Value = serde_json::from_str(&text).expect("parses");
    task["repository"] = "/demo".into();
    let request: RunRequest = serde_json::from_value(task).expect("a request");
    request.check().expect("within bounds");
    for entry in &request.attempts {
        let command = entry.command.as_deref().expect("a command");
        let name =
            command.strip_prefix("node '{programs}/").and_then(|rest| rest.strip_suffix('\'')).expect("a program");
        assert!(examples().join("demo-agents").join(name).is_file(), "{name}");
        assert!(regatta_agents::find(entry).is_ok());
    }
}
