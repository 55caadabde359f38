//! The real server, killed without warning at random moments of busy runs, and started again. Nothing acknowledged may
//! be lost, nothing started twice, no output missing or doubled, no sandbox or process left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Times the server is killed; fewer or more with `REGATTA_KILLS`.
const KILLS: u64 = 200;
/// Lines each agent prints.
const LINES: u32 = 60;
/// How long the last runs may take to finish once nobody kills any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

struct Install {
    folder: tempfile::TempDir,
    server: Option<Child>,
}

impl Install {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).expect("repository");
        fs::write(repository.join("file"), "one\n").expect("file");
        for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "begin"]] {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
            let done = Command::new("git").args(identity).args(arguments).current_dir(&repository).status();
            assert!(done.expect("git").success());
        }
        Self { folder, server: None }
    }

    fn regatta(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("--data-dir").arg(self.data()).args(arguments);
        command.env("REGATTA_LIMITS_ATTEMPTS", "6");
        command
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("server.log"));
        let server = self.regatta(&["up"]).stdout(Stdio::null()).stderr(log.expect("log")).spawn();
        self.server = Some(server.expect("server"));
    }

    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("kill");
            server.wait().expect("wait");
        }
    }

    /// A run of four attempts under way, when the server lives long enough to acknowledge it.
    fn ask(&self, strategy: &str) -> Option<String> {
        let agent = format!(
            "command=echo begin-$(cat /proc/sys/kernel/random/uuid); n=0; while [ $n -lt {LINES} ]; do echo line-$n; \
             n=$((n+1)); sleep 0.01; done; echo changed >> file"
        );
        let repository = self.folder.path().join("repository");
        let mut arguments = vec!["run", "count", "--repo", repository.to_str()?, "--strategy", strategy];
        arguments.extend(["--check", "it=grep -q changed file"]);
        for _ in 0..4 {
            arguments.extend(["--attempt", &agent]);
        }
        // No server is started for us: what is killed is always the one we started.
        let output = self.regatta(&arguments).env("REGATTA_NO_AUTOSTART", "1").output().expect("run");
        output.status.success().then(|| String::from_utf8(output.stdout).expect("id").trim().to_owned())
    }

    fn events(&self, streams: &str) -> Vec<Value> {
        let output = self.regatta(&["log", "tail", "--json", "--from", "1", "--stream", streams]).output().expect("tail");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").lines().map(|line| serde_json::from_str(line).expect("json")).collect()
    }

    fn is_up(&self) -> bool {
        self.regatta(&["ls"]).env("REGATTA_NO_AUTOSTART", "1").output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Install {
    fn drop(&mut self) {
        self.kill();
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Processes that carry the mark of a sandbox of this install.
fn processes_left(data: &Path) -> Vec<String> {
    let mark = data.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
    all.filter(|entry| {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned();
        environ.contains("REGATTA_SANDBOX=") && environ.contains(&mark)
    })
    .map(|entry| entry.file_name().to_string_lossy().into_owned())
    .collect()
}

#[test]
fn a_server_killed_at_any_moment_loses_nothing_and_leaves_nothing() {
    let kills = std::env::var("REGATTA_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let mut chance = std::env::var("REGATTA_SEED").map_or(0x5eed_cafe, |seed| seed.parse().expect("a number"));
    eprintln!("REGATTA_SEED={chance}");
    let mut install = Install::new();
    let mut acknowledged: Vec<String> = Vec::new();
    for kill in 0..kills {
        install.start();
        let until = Instant::now() + Duration::from_millis(random(&mut chance) % 450);
        if kill % 5 == 0 {
            acknowledged.extend(install.ask(["race", "all", "best"][usize::try_from(kill / 5 % 3).expect("small")]));
        }
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            std::thread::sleep(left);
        }
        install.kill();
    }
    assert!(acknowledged.len() as u64 > kills / 20, "only {} runs were acknowledged", acknowledged.len());
    install.start();
    let begin = Instant::now();
    let unfinished = |install: &Install| {
        let events = install.events("run/");
        acknowledged.iter().filter(|run| !finished(&events, run)).count()
    };
    while !install.is_up() || unfinished(&install) > 0 {
        assert!(begin.elapsed() < FINISH_MAX, "{} runs do not finish", unfinished(&install));
        std::thread::sleep(Duration::from_millis(100));
    }
    for run in &acknowledged {
        check(&install, run);
    }
    check_nothing_left(&mut install);
}

fn finished(events: &[Value], run: &str) -> bool {
    let mut of_run = events.iter().filter(|event| event["stream"] == format!("run/{run}"));
    of_run.next_back().is_some_and(|event| event["kind"] == "run.finished")
}

/// Each attempt began once per lease, and printed everything once.
fn check(install: &Install, run: &str) {
    let events = install.events(&format!("attempt/{run},output/{run}"));
    let mut printed: BTreeMap<(String, u64, String, String), String> = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == "attempt.output") {
        let output = &event["payload"]["output"];
        let (stream, epoch) = (event["stream"].as_str().expect("stream"), output["epoch"].as_u64().expect("epoch"));
        let key = (stream.to_owned(), epoch, output["phase"].to_string(), output["channel"].to_string());
        let so_far = printed.entry(key).or_default();
        assert_eq!(output["offset"], so_far.len(), "{stream}: output is missing or doubled");
        so_far.push_str(output["text"].as_str().expect("text"));
    }
    let ends = events.iter().filter(|event| event["kind"] == "attempt.phase_ended");
    for end in ends {
        let fields = &end["payload"]["fields"];
        if fields["phase"] != "agent" || fields["exit"]["code"] != 0 {
            continue;
        }
        let attempt = end["stream"].as_str().and_then(|stream| stream.strip_prefix("attempt/")).expect("attempt");
        let key = |channel: &str| {
            (format!("output/{attempt}"), fields["epoch"].as_u64().expect("epoch"), "\"agent\"".into(), format!("{channel:?}"))
        };
        let out = &printed[&key("out")];
        let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with("begin-")).collect();
        let expected: Vec<String> = (0..LINES).map(|n| format!("line-{n}")).collect();
        assert_eq!(lines, expected, "{attempt} printed something else");
        assert_eq!(out.matches("begin-").count(), 1, "{attempt} began more than once");
    }
    for attempt in ["a", "b", "c", "d"] {
        let of_attempt = events.iter().filter(|event| event["stream"] == format!("attempt/{run}.{attempt}"));
        let count = |kind: &str| of_attempt.clone().filter(|event| event["kind"] == kind).count();
        assert_eq!(count("attempt.finished"), 1, "{run}.{attempt} ended {} times", count("attempt.finished"));
        assert_eq!(count("attempt.retry_scheduled"), 0, "{run}.{attempt} was lost and tried again");
    }
}

fn check_nothing_left(install: &mut Install) {
    let sandboxes = install.data().join("sandboxes");
    let begin = Instant::now();
    let left = || {
        let folders = fs::read_dir(&sandboxes).expect("folder").filter_map(Result::ok);
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name.starts_with("regatta-")).collect::<Vec<_>>()
    };
    while !left().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "sandboxes are left: {:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(processes_left(&install.data()), Vec::<String>::new(), "processes are left");
    install.kill();
    let verified = install.regatta(&["log", "verify"]).output().expect("verify");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
